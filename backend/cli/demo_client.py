"""What the demo does over HTTP, as any client would: upload, follow the runs live, fetch what was made."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO

import httpx

from backend.db.models.runs import TERMINAL
from backend.errors import BacklineError, Unavailable

Json = dict[str, Any]
OnEvent = Callable[[Json], None]

LOOK_EVERY_S = 0.2


class Refused(BacklineError):
    """The API answered with a problem. It is told on as it came."""

    title = "Refused"


class DemoClient:
    """One track on its way through a running server."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def upload(self, name: str, content: BinaryIO, **fields: str) -> Json:
        """Send a file as a form. Gives the track. Raises Refused."""
        answer = await self._http.post("/tracks", data=fields, files={"file": (name, content)})
        return (await self._checked(answer))["track"]

    async def track(self, track_id: str) -> Json:
        """The track as it stands now."""
        return await self._checked(await self._http.get(f"/tracks/{track_id}"))

    async def follow_all(self, runs_path: str, on_event: OnEvent) -> list[Json]:
        """Follow every run that this listing ever shows, each by its stream, until all have ended. Oldest first."""
        following: dict[str, asyncio.Task[Json]] = {}
        try:
            while True:
                listed = (await self._checked(await self._http.get(runs_path)))["items"]
                for run in reversed(listed):
                    if run["id"] not in following:
                        following[run["id"]] = asyncio.create_task(self._follow(run["id"], on_event))
                # A run enqueues what follows it before it ends, so when all have ended no other will come.
                if following and all(task.done() for task in following.values()):
                    return sorted([task.result() for task in following.values()], key=lambda run: str(run["id"]))
                await asyncio.wait(following.values(), timeout=LOOK_EVERY_S)
        finally:
            for task in following.values():
                task.cancel()

    async def _follow(self, run_id: str, on_event: OnEvent) -> Json:
        last: Json = {}
        async with self._http.stream("GET", f"/runs/{run_id}/stream", timeout=None) as stream:
            async for kind, run in _events(stream):
                on_event(run)
                last = run
                if kind == "end":
                    return run
        if last.get("state") in TERMINAL:
            return last
        raise Unavailable("the server closed the stream before the run had ended")

    async def playable(self, playlist: str) -> tuple[int, int]:
        """Fetch the playlist and all it names, as a player would. Gives the number of files and of bytes."""
        text = (await self._got(playlist)).decode()
        names = [line for line in text.splitlines() if line and not line.startswith("#")]
        names += [part.partition('"')[0] for part in text.split('URI="')[1:]]
        folder = playlist.rpartition("/")[0]
        sizes = [len(await self._got(f"{folder}/{name}")) for name in names]
        return len(sizes), sum(sizes)

    async def waveform(self, path: str) -> list[int]:
        """Minimum and maximum in turn."""
        return list(json.loads(await self._got(path))["data"])

    async def _got(self, path: str) -> bytes:
        answer = await self._http.get(path)
        if answer.is_error:
            await self._checked(answer)
        return answer.content

    async def _checked(self, answer: httpx.Response) -> Json:
        body: Json = answer.json()
        if answer.is_error:
            raise Refused(str(body.get("detail", answer.status_code)), field=body.get("field"))
        return body


async def _events(stream: httpx.Response) -> AsyncIterator[tuple[str, Json]]:
    kind = ""
    async for line in stream.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
