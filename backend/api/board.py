"""The whole board at a glance: every queue and every state, live, and the workers' verdict by thresholds."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from backend.api import examples
from backend.api.caller import LOOKS, REFUSED
from backend.api.problems import problems
from backend.api.sse import KEEPALIVE, RECONNECT, EventStream, encode
from backend.api.state import AppSettings, Closing
from backend.db.base import now
from backend.runtime import queues, runs
from backend.runtime.dead_letters import DeadFilter, count_dead_by_queue

router = APIRouter(tags=["queues"], dependencies=[LOOKS])

REFRESH_S = 1.0
MOST_FAILED = 100
WINDOW = timedelta(days=1)


class QueueCounts(BaseModel):
    """One queue. `failed` are runs that died within a day."""

    waiting: int
    active: int
    failed: int


class Verdict(BaseModel):
    """Whether the workers are well: unhealthy when more than 100 runs died within a day."""

    status: Literal["healthy", "unhealthy"]
    queues: dict[str, QueueCounts]


BOARD = 'event: board\ndata: {"states":{"running":2,…},"queues":[{"name":"media","waiting":3,…}]}\n\n'


@router.get(
    "/board/stream",
    summary="Follow the board",
    response_class=EventStream,
    status_code=200,
    responses={200: examples.streamed(BOARD)} | problems(*REFUSED, 503),
)
async def stream_board(request: Request, settings: AppSettings, closing: Closing) -> EventStream:
    """Server-sent events: `board` with the counts of all states and every queue, whenever they have changed."""
    return EventStream(_follow(request.app, settings.http.sse_keepalive_s, closing))


@router.get(
    "/health/workers",
    summary="Health of the workers",
    response_model=Verdict,
    responses={
        200: examples.shown({"status": "healthy", "queues": {"media": {"waiting": 0, "active": 2, "failed": 1}}})
    }
    | problems(*REFUSED, 503),
)
async def workers_health(response: Response) -> Verdict:
    """Waiting, active and failed by queue; 503 while they are unhealthy."""
    failed = await count_dead_by_queue(DeadFilter(ended_after=now() - WINDOW))
    counts = {
        view.name: QueueCounts(waiting=view.waiting + view.queued, active=view.running, failed=failed.get(view.name, 0))
        for view in await queues.list_queues()
    }
    unhealthy = sum(failed.values()) > MOST_FAILED
    response.status_code = 503 if unhealthy else 200
    return Verdict(status="unhealthy" if unhealthy else "healthy", queues=counts)


async def _follow(app: Any, keepalive: float, closing: asyncio.Event) -> AsyncGenerator[bytes, None]:
    yield RECONNECT
    last, said = None, time.monotonic()
    while not closing.is_set():
        board = await app.state.board.get()
        if board != last:
            last, said = board, time.monotonic()
            yield encode("board", board)
        elif time.monotonic() - said >= keepalive:
            said = time.monotonic()
            yield KEEPALIVE
        try:
            await asyncio.wait_for(closing.wait(), REFRESH_S)
        except TimeoutError:
            continue


async def load_board() -> dict[str, Any]:
    """The counts of all states and of every queue. Ages are left out: they change all the time, and say nothing new."""
    shown = [asdict(view) for view in await queues.list_queues()]
    kept = [{name: value for name, value in each.items() if name != "oldest_waiting_s"} for each in shown]
    return {"states": await runs.count_runs(), "queues": kept}
