"""Several processes on one ledger: limits, rates and schedules hold for all of them together."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from backend.db.models.runs import Attempt, Process, Run
from backend.db.session import database, open_database
from backend.runtime import enqueue, enqueue_many
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter, cancel_run, get_run, list_runs
from backend.runtime.watch import watch_run
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.runtime import rooms
from tests.runtime.crew import Crew, all_ended, each_engine, ended, in_production, on, open_crew, reached, until
from tests.runtime.process import other_process


async def attempts_of(task: str) -> list[Attempt]:
    async with database().reading() as session:
        found = select(Attempt).join(Run, Run.id == Attempt.run_id).where(Run.task == task).order_by(Attempt.started_at)
        return list((await session.scalars(found)).all())


def most_at_once(attempts: list[Attempt]) -> int:
    moments: list[tuple[datetime, int]] = []
    for attempt in attempts:
        assert attempt.ended_at is not None
        moments += [(attempt.started_at, 1), (attempt.ended_at, -1)]
    inside = most = 0
    for _, step in sorted(moments):
        inside += step
        most = max(most, inside)
    return most


@in_production
async def test_limits_and_rates_hold_for_all_processes_together(crew: Crew) -> None:
    rooms.declare()
    async with other_process() as other, crew() as here:
        ids = await enqueue_many(rooms.limited, [{} for _ in range(30)])
        ids += await enqueue_many(rooms.rated, [{} for _ in range(9)])
        assert await all_ended(ids, within=30) == {"succeeded": 39}
        limited, rated = await attempts_of("limited"), await attempts_of("rated")
    assert len(limited) == 30
    assert most_at_once(limited) == 3
    assert {attempt.worker for attempt in limited} == {here.card.name, other.name}
    starts = [attempt.started_at for attempt in rated]
    window = timedelta(seconds=1)
    assert max(sum(first <= start < first + window for start in starts) for first in starts) == 4


@on(("redis", "sqlite"))
async def test_each_due_time_fires_once_with_any_number_of_processes(crew: Crew) -> None:
    rooms.declare("tick")
    async with other_process("tick") as other, crew():
        await until(lambda: _enough(4), within=20)
        assert await other.stop() == 0
        runs = await list_runs(RunFilter(task="tick"), limit=100)
    due = [datetime.fromisoformat((run.key or "").removeprefix("schedule ")) for run in reversed(runs)]
    assert len(due) == len(set(due))
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(due))
    assert all((later - due[0]) % timedelta(seconds=1) == timedelta(0) for later in due)


async def _enough(times: int) -> bool:
    return len(await list_runs(RunFilter(task="tick"))) >= times


@pytest.mark.parametrize("switch", [{"WORKERS_ENABLED": "0"}, {"HARMONY_DISABLE_WORKERS": "1"}])
@each_engine
async def test_without_workers_runs_wait_for_another_process(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, switch: dict[str, str]
) -> None:
    rooms.declare()
    set_environment(monkeypatch, **switch)
    async with crew("api") as runner:
        assert runner.card.capacity == 0
        receipts = [await enqueue(rooms.hold, 0) for _ in range(3)]
        await asyncio.sleep(0.4)
        assert {(await get_run(receipt.id)).state for receipt in receipts} == {"waiting"}
    set_environment(monkeypatch, **dict.fromkeys(switch))
    async with open_crew():
        assert await all_ended([receipt.id for receipt in receipts]) == {"succeeded": 3}


@in_production
async def test_a_quiet_process_hands_over_watches_and_cancels(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms.declare()
    async with other_process() as worker:
        set_environment(monkeypatch, WORKERS_ENABLED="0")
        async with crew("api") as api:
            quick = await ended((await enqueue(rooms.hold, 0)).id)
            assert (quick.state, quick.worker) == ("succeeded", worker.name)

            receipt = await enqueue(rooms.hold)
            await reached(receipt.id, "running")
            seen = []
            async for event in watch_run(receipt.id):
                seen.append(event.run["state"])
                if len(seen) == 1:
                    await cancel_run(receipt.id)
            assert seen == ["running", "cancelled"]
            assert (await get_run(receipt.id)).attempts[0].worker == worker.name
            assert api.view.capacity == 10


@in_production
async def test_a_process_leaves_the_ledger_when_it_stops(crew: Crew) -> None:
    rooms.declare()
    async with crew() as here:
        async with other_process() as other:
            await until(lambda: here.view.capacity == 20)
            assert await _names() == {here.card.name, other.name}
            assert await other.stop() == 0
            assert await _names() == {here.card.name}
            await until(lambda: here.view.capacity == 10)
        async with database().reading() as session:
            (row,) = (await session.scalars(select(Process))).all()
    assert (row.kind, row.engine, row.capacity, row.tasks) == ("worker", "docket", 10, sorted(registry))
    assert row.memory_mb > 10


async def _names() -> set[str]:
    async with database().reading() as session:
        return set((await session.scalars(select(Process.name))).all())


@in_production
async def test_a_stopped_process_hands_its_runs_back_without_burning_an_attempt(crew: Crew) -> None:
    rooms.declare()
    async with other_process() as first:
        async with open_database(get_settings().database):
            receipt = await enqueue(rooms.hold, 1.5)
            assert (await reached(receipt.id, "running")).worker == first.name
        assert await first.stop() == 0
        async with crew() as second:
            run = await ended(receipt.id)
    assert (run.state, run.attempt, run.crashes, run.worker) == ("succeeded", 1, 0, second.card.name)
    assert [attempt.outcome for attempt in run.attempts] == ["interrupted", "succeeded"]


@in_production
async def test_a_task_that_only_newer_code_knows_is_left_to_it(crew: Crew) -> None:
    rooms.declare("newcomer")
    async with other_process("newcomer") as newer:
        async with open_database(get_settings().database):
            await pause_queue("media")
            receipts = [await enqueue(rooms.newcomer) for _ in range(5)]
        del registry["newcomer"]
        async with crew():
            await resume_queue("media")
            runs = [await ended(receipt.id, within=30) for receipt in receipts]
    assert {(run.state, run.attempt, run.worker) for run in runs} == {("succeeded", 1, newer.name)}
