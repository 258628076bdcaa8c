"""`/ws/logs`: all scheduled jobs over a WebSocket, again and again, for pages that watch them."""

import asyncio
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from backend._internal.sign_in_cookie import COOKIE, opened_here
from backend.api.caller import Caller
from backend.api.job_views import Job, job_of
from backend.domains.federation.sign_ins import Role, find_sign_in
from backend.errors import BacklineError, Forbidden, SignInRequired
from backend.runtime import schedules

router = APIRouter()

UPDATE_S = 2.0
NOT_SIGNED_IN, NOT_ALLOWED = 4401, 4403  # close codes, after the statuses of HTTP


@router.websocket("/ws/logs")
async def watch_jobs(socket: WebSocket, job_type: str | None = None, level: str | None = None) -> None:
    """Every two seconds `{"type": "jobs_update", "data": [...]}`: all jobs, or those of a type, with lines at a level.

    A client that takes an update too slowly gets the next one later: nothing is kept for it.
    """
    try:
        await _may_look(socket)
    except BacklineError as error:
        await socket.close(NOT_SIGNED_IN if error.status == 401 else NOT_ALLOWED, error.detail[:100])
        return
    await socket.accept()
    closed = asyncio.create_task(_closed(socket))
    try:
        while not closed.done():
            jobs = [job for job in await socket.app.state.jobs.get() if job_type in (None, job.job_id)]
            await socket.send_json({"type": "jobs_update", "data": [_shown(job, level) for job in jobs]})
            await asyncio.wait({closed}, timeout=UPDATE_S)
    except (WebSocketDisconnect, RuntimeError):
        pass  # it went away in the middle of a message
    finally:
        closed.cancel()


def _shown(job: Job, level: str | None) -> dict[str, Any]:
    lines = [line for line in job.recent_logs if level in (None, line.level)]
    return job.model_copy(update={"recent_logs": lines}).model_dump(mode="json")


async def _closed(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return


async def load_jobs() -> list[Job]:
    """Every scheduled job as it stands."""
    return [await job_of(view) for view in await schedules.list_schedules()]


async def _may_look(socket: WebSocket) -> None:
    if not opened_here(socket.headers):
        raise Forbidden("another site opened this socket: it is refused")
    if not socket.app.state.settings.http.closed:
        return
    scheme, _, bearer = socket.headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else socket.cookies.get(COOKIE)
    found = await find_sign_in(token) if token else None
    if found is None:
        raise SignInRequired("sign in: send Authorization: Bearer TOKEN, or the sign-in cookie")
    Caller(found.did, found.role).must_be(Role.VIEWER)
