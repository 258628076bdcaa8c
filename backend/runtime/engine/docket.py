"""The engine in production: docket on Redis, or on its in-process server for `memory://`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from docket import CurrentExecution, Execution
from docket.execution import Disposition
from redis.exceptions import RedisError

from backend.errors import Unavailable
from backend.runtime.engine.safe_docket import SafeDocket
from backend.runtime.engine.worker import AdaptiveWorker
from backend.runtime.execute import Executor
from backend.runtime.ticket import Ticket

logger = logging.getLogger(__name__)

HAND_OVER_TIMEOUT_S = 3.0
MOST_TAKEN = 1000
SPARE_SLOTS = 4  # for canaries and for messages that are not ours, so that neither waits behind long runs

Stranger = Callable[[Execution, tuple[Any, ...], dict[str, Any]], Awaitable[None]]


class DocketEngine:
    """Carries hand-overs through a docket, and works them off in a docket Worker."""

    name = "docket"

    def __init__(
        self,
        docket: SafeDocket,
        executor: Executor,
        concurrency: int,
        redelivery: timedelta,
        on_canary: Callable[[str], Awaitable[None]],
        on_stranger: Stranger,
    ) -> None:
        self.docket = docket
        self.private = docket.url.startswith("memory://")
        self._executor = executor
        self._concurrency = concurrency
        self._redelivery = redelivery
        self._worker: AdaptiveWorker | None = None

        async def execute_run(*args: Any, execution: Execution = CurrentExecution(), **kwargs: Any) -> None:
            try:
                ticket = Ticket.from_json(*args, **kwargs)
            except TypeError:
                await on_stranger(execution, args, kwargs)
            else:
                await executor.execute(ticket, execution.redelivered)

        async def execute_canary(*args: Any, execution: Execution = CurrentExecution(), **kwargs: Any) -> None:
            if len(args) == 1 and not kwargs:
                await on_canary(str(args[0]))
            else:
                await on_stranger(execution, args, kwargs)

        async def execute_stranger(*args: Any, execution: Execution = CurrentExecution(), **kwargs: Any) -> None:
            await on_stranger(execution, args, kwargs)

        self._run, self._canary, self._stranger = execute_run, execute_canary, execute_stranger
        docket.carry(execute_run)
        docket.carry(execute_canary)

    async def hand_over(self, tickets: Sequence[Ticket]) -> None:
        """Put these on the stream. Raises Unavailable when Redis is away or refuses."""
        async with _reachable():
            if len(tickets) == 1:
                # One round trip, where a batch takes two.
                await self.docket.put(self._run, tickets[0].key, tickets[0].to_json())
                return
            calls = [self.docket.call(self._run, key=ticket.key)(ticket.to_json()) for ticket in tickets]
            for execution in await self.docket.add_many(calls):
                if execution.disposition is Disposition.FAILED:
                    raise Unavailable(f"Redis refused a run: {execution.schedule_exception}")

    async def cancel(self, ticket_key: str) -> None:
        """Remove it from the stream, or signal the worker that has it."""
        async with _reachable():
            await self.docket.cancel(ticket_key)

    async def missing(self, ticket_keys: Collection[str]) -> set[str]:
        """Those without an entry in Redis: taken off, finished, or lost with Redis's data."""
        keys = sorted(ticket_keys)
        async with _reachable(), self.docket.redis() as redis:
            pipeline = redis.pipeline()
            for key in keys:
                pipeline.exists(self.docket.runs_key(key))
            there = await pipeline.execute()
        return {key for key, exists in zip(keys, there, strict=True) if not exists}

    async def taken(self) -> set[str]:
        """Messages that were read here and are not acknowledged: the stop came between their reading and their start."""
        if self.private:
            return set()  # its stream is gone with this process, and the next one repairs what was in it
        stream, group = self.docket.stream_key, self.docket.worker_group_name
        async with _reachable(), self.docket.redis() as redis:
            pending = await redis.xpending_range(stream, group, "-", "+", MOST_TAKEN, self._executor.worker)
            pipeline = redis.pipeline()
            for entry in pending:
                pipeline.xrange(stream, entry["message_id"], entry["message_id"])
            found = await pipeline.execute()
        return {fields[b"key"].decode() for messages in found for _, fields in messages if b"key" in fields}

    async def canary(self, worker: str) -> None:
        """A canary on the stream. Whichever worker takes it, its sender learns of it."""
        async with _reachable():
            await self.docket.add_many([self.docket.call(self._canary, key=f"canary:{worker}")(worker)])

    async def publish(self, message: str) -> None:
        """Publish to every process that listens."""
        async with _reachable(), self.docket.redis() as redis:
            await redis.publish(self.docket.key("events"), message)

    async def listen(self) -> AsyncIterator[str]:
        """Messages as they are published, until Redis is away."""
        async with self.docket._pubsub() as channel:
            await channel.subscribe(self.docket.key("events"))
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is not None and message["type"] == "message":
                    yield message["data"].decode()

    async def run(self) -> None:
        """Work until cancelled."""
        async with AdaptiveWorker(
            self.docket, self._executor.worker, self._concurrency + SPARE_SLOTS, self._redelivery, self._stranger
        ) as self._worker:
            await self._worker.run_forever()

    async def quiet(self) -> None:
        """Take nothing more from the stream."""
        if self._worker is not None:
            self._worker.concurrency = 0


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    """Turns Redis trouble and long waits into Unavailable."""
    try:
        async with asyncio.timeout(HAND_OVER_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise Unavailable(f"Redis did not answer within {HAND_OVER_TIMEOUT_S:g} s") from error
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis is away: {type(error).__name__}") from error
