"""Enqueuing as each system's users do it, from a process of its own."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Protocol

from docket import Docket

from backend.db.session import open_database
from backend.runtime import enqueue_many, runs, scheduler
from backend.runtime.lifecycle import open_background
from backend.settings import Settings
from benchmarks.subject import bare_docket
from benchmarks.systems import STOCK, Site
from benchmarks.workload import declare, note_start

BATCH = 1000


class Producer(Protocol):
    """Enqueues runs of `note_start`."""

    async def preload(self, numbers: Sequence[int]) -> None:
        """Many, while nobody works."""

    async def enqueue(self, number: int) -> None:
        """One, for now."""

    async def schedule(self, number: int, due: datetime) -> None:
        """One, for later."""


class DocketProducer:
    """Through a docket."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket

    async def preload(self, numbers: Sequence[int]) -> None:
        """With `add_many`."""
        for start in range(0, len(numbers), BATCH):
            calls = [self._docket.call(note_start)(number) for number in numbers[start : start + BATCH]]
            await self._docket.add_many(calls)

    async def enqueue(self, number: int) -> None:
        """With `add`."""
        await Docket.add(self._docket, note_start)(number)

    async def schedule(self, number: int, due: datetime) -> None:
        """With `add(when=)`."""
        await Docket.add(self._docket, note_start, when=due)(number)


class LedgerProducer:
    """Through the ledger."""

    def __init__(self) -> None:
        declare(1)
        self._schedule = scheduler(note_start)

    async def preload(self, numbers: Sequence[int]) -> None:
        """With `enqueue_many`."""
        await enqueue_many(note_start, [{"number": number} for number in numbers])

    async def enqueue(self, number: int) -> None:
        """With the task's scheduler."""
        await self._schedule(number)

    async def schedule(self, number: int, due: datetime) -> None:
        """With `using(at=)`."""
        await self._schedule.using(at=due)(number)


@asynccontextmanager
async def open_producer(site: Site, hand_over: bool) -> AsyncIterator[Producer]:
    """A producer for this site. With `hand_over` it is an API process, which hands over at once where it may."""
    async with AsyncExitStack() as stack:
        if not site.system.has_ledger:
            stock = site.system.kind == STOCK
            docket = (
                Docket(name=site.docket_name, url=site.url)
                if stock
                else bare_docket(site.url, site.docket_name, site.system.concurrency)
            )
            yield DocketProducer(await stack.enter_async_context(docket))
            return
        settings = settings_of(site)
        if hand_over:
            await stack.enter_async_context(open_background(settings, "api"))
        else:
            await stack.enter_async_context(open_database(settings.database))
        yield LedgerProducer()


async def recorded(site: Site) -> dict[str, int]:
    """How many runs the ledger has in each state."""
    async with open_database(settings_of(site).database):
        return await runs.count_runs(runs.RunFilter())


def settings_of(site: Site) -> Settings:
    """The settings of a process that enqueues and executes nothing."""
    with _environment({**site.environment(), "WORKERS_ENABLED": "0"}):
        return Settings()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
