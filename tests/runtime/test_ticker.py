"""Firing: overlap, times that passed while nothing ran, and exactly once with any number of processes."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from backend.db.base import now
from backend.db.models.runs import Schedule
from backend.db.session import open_database, unit_of_work
from backend.runtime import schedules, task
from backend.runtime.runs import RunFilter, list_runs
from backend.runtime.views import RunView
from backend.settings import get_settings
from tests.runtime.crew import Crew, each_database, each_engine, open_crew, until


async def runs_of(name: str) -> list[RunView]:
    return await list_runs(RunFilter(task=name), limit=1000)


async def fired(name: str, times: int) -> bool:
    return len(await runs_of(name)) >= times


async def make_due(name: str, ago: timedelta) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Schedule).where(Schedule.task == name).values(next_at=now() - ago))


@each_engine
async def test_a_run_that_is_still_active_is_not_doubled(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()

    @task(queue="analytics", every=1)
    async def slow() -> None:
        await gate.wait()

    async with crew():
        await until(lambda: fired("slow", 1))
        await until(lambda: "its run" in caplog.text, within=5)
        assert len(await runs_of("slow")) == 1
        view = await schedules.get_schedule("slow")
        assert view.next_at is not None
        assert view.next_at > now() - timedelta(seconds=1)
        gate.set()
        await until(lambda: fired("slow", 2))


@each_engine
async def test_runs_that_may_overlap_do(crew: Crew) -> None:
    inside = most = 0

    @task(queue="analytics", every=1, overlap="allow")
    async def slow() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(2.5)
        inside -= 1

    async with crew():
        await until(lambda: most >= 2, within=8)


@pytest.mark.parametrize(("catchup", "runs"), [("one", 1), ("none", 0)])
@each_database
async def test_times_that_passed_while_nothing_ran(crew: Crew, catchup: str, runs: int) -> None:
    @task(queue="analytics", cron="0 * * * *", catchup=catchup)
    async def hourly() -> None: ...

    async with crew():
        await asyncio.sleep(0)
    async with open_database(get_settings().database):
        await make_due("hourly", timedelta(days=3))
    async with open_crew():
        await until(lambda: _moved_on("hourly"))
        await asyncio.sleep(0.3)
        assert len(await runs_of("hourly")) == runs
        view = await schedules.get_schedule("hourly")
    assert view.next_at is not None
    assert timedelta(0) < view.next_at - now() <= timedelta(hours=1)
    assert (view.last_at is not None) == bool(runs)


async def _moved_on(name: str) -> bool:
    view = await schedules.get_schedule(name)
    return view.next_at is not None and view.next_at > now()


@each_database
async def test_a_little_late_is_not_missed(crew: Crew) -> None:
    @task(queue="analytics", cron="0 * * * *", catchup="none")
    async def hourly() -> None: ...

    async with crew():
        await make_due("hourly", timedelta(seconds=5))
        await until(lambda: fired("hourly", 1))


@each_database
async def test_an_interval_stays_on_its_beat_after_a_gap(crew: Crew) -> None:
    @task(queue="analytics", every=600)
    async def regular() -> None: ...

    async with crew():
        await until(lambda: fired("regular", 1))
        await make_due("regular", timedelta(seconds=1750))
        await until(lambda: _moved_on("regular"))
        view = await schedules.get_schedule("regular")
    assert view.next_at is not None
    assert timedelta(seconds=40) < view.next_at - now() < timedelta(seconds=51)
