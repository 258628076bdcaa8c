"""The fallback: hand-overs become asyncio tasks of this process. Nothing survives it but the ledger."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from backend.runtime.execute import Executor, Halt
from backend.runtime.ticket import Ticket


class InlineEngine:
    """`asyncio.create_task` in the shape of an engine."""

    name = "inline"
    private = True

    def __init__(self, executor: Executor, on_canary: Callable[[str], Awaitable[None]]) -> None:
        self._executor = executor
        self._on_canary = on_canary
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def hand_over(self, tickets: Sequence[Ticket]) -> None:
        """Start these at once."""
        for ticket in tickets:
            task = asyncio.create_task(self._executor.execute(ticket), name=f"run {ticket.key}")
            self._tasks[ticket.key] = task
            task.add_done_callback(lambda _, key=ticket.key: self._tasks.pop(key, None))

    async def cancel(self, ticket_key: str) -> None:
        """Stop it if it runs here."""
        self._executor.halt(ticket_key.rpartition(":")[0], Halt.CANCEL)

    async def missing(self, ticket_keys: Collection[str]) -> set[str]:
        """All that do not run here."""
        return set(ticket_keys) - self._tasks.keys()

    async def taken(self) -> set[str]:
        """Nothing: what it took is known to be this process's."""
        return set()

    async def canary(self, worker: str) -> None:
        """A task of its own, as every run is."""
        await self._on_canary(worker)

    async def publish(self, message: str) -> None:
        """There is no other process to tell."""

    async def listen(self) -> AsyncIterator[str]:
        """There is no other process to hear."""
        return
        yield

    async def run(self) -> None:
        """Nothing to poll: tasks run by themselves. Those that are left at the end are stopped."""
        try:
            await asyncio.Event().wait()
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def quiet(self) -> None:
        """The feeder stops handing over; nothing else starts anything."""
