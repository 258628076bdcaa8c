"""Watching a run: every change, and the terminal state last."""

import asyncio
from datetime import datetime

import pytest

from backend.db.session import open_database
from backend.errors import UnknownRun
from backend.runtime import Retry, enqueue, scheduler, task
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import cancel_run, get_run, requeue_run
from backend.runtime.watch import Event, watch_run
from backend.settings import get_settings
from tests.runtime.crew import Crew, each_database, each_engine, ended, reached


async def watched(run_id: str, last_event_id: int | None = None) -> list[Event]:
    return [event async for event in watch_run(run_id, last_event_id)]


def states(events: list[Event]) -> list[str]:
    return [event.run["state"] for event in events if event.kind == "state"]


@each_engine
async def test_every_state_is_told_and_the_terminal_one_is_last(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=2, base=0.3, jitter=0))
    async def flaky() -> None:
        await asyncio.sleep(0.1)
        raise OSError("away")

    async with crew():
        await pause_queue("media")
        receipt = await enqueue(flaky)
        watching = asyncio.create_task(watched(receipt.id))
        await asyncio.sleep(0.1)
        await resume_queue("media")
        events = await watching
        run = await get_run(receipt.id)
    told = [state for state in states(events) if state not in ("queued", "waiting")]
    assert told == ["running", "scheduled", "running", "dead"]
    assert states(events)[0] == "waiting"
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert events[-1].id == run.revision
    assert events[-1].run["error"] == "away"
    assert isinstance(events[-1].run["finished_at"], datetime)


@each_engine
async def test_an_ended_run_is_told_once(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> str:
        return "done"

    async with crew():
        receipt = await enqueue(measure)
        run = await ended(receipt.id)
        (event,) = await watched(receipt.id)
        assert (event.id, event.kind, event.run["result"]) == (run.revision, "state", "done")
        assert await watched(receipt.id, run.revision) == []
        assert await watched(receipt.id, run.revision - 1) == [event]


@each_engine
async def test_a_reconnect_tells_what_came_since(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def measure() -> None:
        await gate.wait()

    async with crew():
        receipt = await enqueue(measure)
        run = await reached(receipt.id, "running")
        watching = asyncio.create_task(watched(receipt.id, run.revision))
        await asyncio.sleep(0.05)
        gate.set()
        events = await watching
    assert states(events) == ["succeeded"]


@each_database
async def test_an_unknown_run_is_said_at_once(crew: Crew) -> None:
    async with crew():
        with pytest.raises(UnknownRun):
            await watched("018f0000-0000-7000-8000-000000000000")


@each_engine
async def test_many_watch_one_run_and_leave_nothing_behind(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def measure() -> None:
        await gate.wait()

    async with crew() as runner:
        receipt = await enqueue(measure)
        watching = [asyncio.create_task(watched(receipt.id)) for _ in range(20)]
        gone = asyncio.create_task(watched(receipt.id))
        await reached(receipt.id, "running")
        gone.cancel()
        gate.set()
        for events in await asyncio.gather(*watching):
            assert states(events)[-1] == "succeeded"
        await asyncio.gather(gone, return_exceptions=True)
        assert not runner.hub._watches


@each_engine
async def test_a_cancel_and_a_requeue_are_told(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew():
        receipt = await scheduler(measure).using(after=60)()
        watching = asyncio.create_task(watched(receipt.id))
        await asyncio.sleep(0.05)
        await cancel_run(receipt.id)
        events = await watching
        assert states(events) == ["scheduled", "cancelled"]
        await requeue_run(receipt.id)
        again = await watched(receipt.id, events[-1].id)
        assert states(again)[-1] == "succeeded"


@each_database
async def test_without_a_runner_the_ledger_is_looked_at(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with open_database(get_settings().database):
        receipt = await enqueue(measure)
        watching = asyncio.create_task(watched(receipt.id))
        await asyncio.sleep(0.05)
        await cancel_run(receipt.id)
        assert states(await watching) == ["waiting", "cancelled"]


@each_engine
async def test_a_watcher_who_is_slow_still_gets_the_end(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=40, base=0, jitter=0))
    async def flaky() -> None:
        raise OSError("away")

    async with crew():
        receipt = await enqueue(flaky)
        events = []
        async for event in watch_run(receipt.id):
            events.append(event)
            if len(events) == 1:
                await ended(receipt.id)
    assert states(events)[-1] == "dead"
    ids = [event.id for event in events]
    assert ids == sorted(ids)
