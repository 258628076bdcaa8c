"""Server-sent events: the wire format, and a stream that keeps itself open and frees everything at its end."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

KEEPALIVE = b": keep-alive\n\n"
# A browser that lost the stream asks again after this many milliseconds.
RECONNECT = b"retry: 2000\n\n"


def encode(event: str | None, data: object, number: int | None = None) -> bytes:
    """One event, None for one without a name. `data` becomes one line of JSON; `number` is what Last-Event-ID brings back."""
    head = f"id: {number}\n" if number is not None else ""
    name = f"event: {event}\n" if event is not None else ""
    body = json.dumps(jsonable_encoder(data), separators=(",", ":"), ensure_ascii=False)
    return f"{head}{name}data: {body}\n\n".encode()


async def with_pauses(
    source: AsyncGenerator[T, None], every: float, closing: asyncio.Event
) -> AsyncGenerator[T | None, None]:
    """The items of `source`, and None whenever none came for `every` seconds. Ends early at `closing`.

    The source runs in a task of its own and is at most one item ahead, so a slow reader holds it back.
    """
    ahead: asyncio.Queue[T] = asyncio.Queue(maxsize=1)

    async def pump() -> None:
        async with aclosing(source):
            async for item in source:
                await ahead.put(item)

    pumping = asyncio.ensure_future(pump())
    closed = asyncio.ensure_future(closing.wait())
    taking: asyncio.Future[T] | None = None
    try:
        while not closed.done():
            taking = taking or asyncio.ensure_future(ahead.get())
            if pumping.done() and ahead.empty() and not taking.done():
                pumping.result()  # raises what the source raised
                return
            running = {taking, closed} if pumping.done() else {taking, closed, pumping}
            done, _ = await asyncio.wait(running, timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                item, taking = taking.result(), None
                yield item
            elif not done:
                yield None
    finally:
        for each in (pumping, closed, taking):
            if each is not None:
                each.cancel()
        await asyncio.gather(pumping, closed, *([taking] if taking else []), return_exceptions=True)


class EventStream(StreamingResponse):
    """A response of server-sent events. Its source is closed however the response ends."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.events):
            await super().__call__(scope, receive, send)
