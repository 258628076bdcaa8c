"""Script calls that are made at the same moment travel to Redis in one pipeline.

docket makes one call when it takes a run and one when it ends it, each with a connection and a round trip of its own.
Runs are taken and ended many at a time, and then the round trips are most of what a run costs.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

Call = tuple[tuple[Any, ...], asyncio.Future[Any]]


class ScriptBatch:
    """Collects calls of `evalsha` until the loop goes round, then sends them together. Each gets its own answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._calls: list[Call] = []
        self._sending: set[asyncio.Task[None]] = set()

    def evalsha(self, *args: Any) -> Awaitable[Any]:
        """The script's answer. Raises what Redis answered to this call, or what went wrong with the connection."""
        loop = asyncio.get_running_loop()
        if not self._calls:
            loop.call_soon(self._send_all)
        answer: asyncio.Future[Any] = loop.create_future()
        self._calls.append((args, answer))
        return answer

    def _send_all(self) -> None:
        calls, self._calls = self._calls, []
        task = asyncio.create_task(self._send(calls), name="script batch")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, calls: Sequence[Call]) -> None:
        replies: list[Any] = [asyncio.CancelledError()] * len(calls)  # unless they come
        try:
            replies = await self._replies([args for args, _ in calls])
        except (RedisError, OSError) as error:
            replies = [error] * len(calls)
        finally:
            for (_, answer), reply in zip(calls, replies, strict=True):
                _settle(answer, reply)

    async def _replies(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        if len(calls) == 1:
            return [await self._client.evalsha(*calls[0])]
        async with self._client.pipeline(transaction=False) as pipeline:
            for args in calls:
                pipeline.evalsha(*args)
            return await pipeline.execute(raise_on_error=False)


def _settle(answer: asyncio.Future[Any], reply: Any) -> None:
    if answer.done():
        return  # who asked was cancelled
    if isinstance(reply, asyncio.CancelledError):
        answer.cancel()
    elif isinstance(reply, Exception):
        answer.set_exception(reply)
    else:
        answer.set_result(reply)
