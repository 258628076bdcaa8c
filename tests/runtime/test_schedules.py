"""Schedules as operators handle them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend.db.base import now
from backend.errors import InvalidArguments, InvalidSchedule, NotFound
from backend.runtime import enqueue, schedules, task
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter, get_run, list_runs
from tests.runtime.crew import Crew, each_database, each_engine, ended, open_crew, reached, until

YEARLY = "0 0 1 1 *"


async def runs_of(name: str) -> int:
    return len(await list_runs(RunFilter(task=name), limit=100))


@each_database
async def test_what_the_code_declares_is_listed(crew: Crew) -> None:
    @task(queue="analytics", cron=YEARLY)
    async def roll_up() -> None: ...

    @task(queue="federation", every=3600, overlap="allow", catchup="none")
    async def refresh() -> None: ...

    async with crew():
        refreshed, rolled = await schedules.list_schedules()
    assert (rolled.task, rolled.declared, rolled.override, rolled.paused) == ("roll_up", YEARLY, None, False)
    assert rolled.next_at == datetime(now().year + 1, 1, 1, tzinfo=UTC)
    assert (rolled.last_at, rolled.last_run_id, rolled.last_state) == (None, None, None)
    assert (rolled.overlap, rolled.catchup, rolled.known) == ("skip", "one", True)
    assert (refreshed.declared, refreshed.overlap, refreshed.catchup) == ("every 3600", "allow", "none")


@each_engine
async def test_an_interval_fires_at_once_and_then_at_its_beat(crew: Crew) -> None:
    @task(queue="analytics", every=1)
    async def roll_up() -> None: ...

    async with crew():
        await until(lambda: _fired("roll_up", 1))
        first = await schedules.get_schedule("roll_up")
        await until(lambda: _fired("roll_up", 3))
        view = await schedules.get_schedule("roll_up")
        assert view.last_run_id is not None
        await ended(view.last_run_id)
        (run,) = await list_runs(RunFilter(ids=[view.last_run_id]))
    assert run.requested_by == "schedule"
    assert view.last_at is not None
    assert view.next_at is not None
    assert first.next_at is not None
    assert (view.next_at - first.next_at) % timedelta(seconds=1) == timedelta(0)
    assert view.next_at > first.next_at


@each_engine
async def test_a_paused_schedule_does_not_fire_and_makes_nothing_up(crew: Crew) -> None:
    @task(queue="analytics", every=1)
    async def roll_up() -> None: ...

    async with crew():
        await until(lambda: _fired("roll_up", 1))
        await schedules.pause("roll_up")
        assert (await schedules.get_schedule("roll_up")).paused
        before = await runs_of("roll_up")
        await asyncio.sleep(1.5)
        assert await runs_of("roll_up") == before
        await schedules.resume("roll_up")
        await until(lambda: _fired("roll_up", before + 1))
        assert await runs_of("roll_up") == before + 1


async def _fired(name: str, times: int) -> bool:
    return await runs_of(name) >= times


@each_database
async def test_resuming_early_does_not_skip_the_next_time(crew: Crew) -> None:
    @task(queue="analytics", cron=YEARLY)
    async def roll_up() -> None: ...

    async with crew():
        before = (await schedules.get_schedule("roll_up")).next_at
        await schedules.pause("roll_up")
        await schedules.resume("roll_up")
        await schedules.resume("roll_up")
        assert (await schedules.get_schedule("roll_up")).next_at == before


@each_engine
async def test_run_now_takes_arguments_for_this_time(crew: Crew) -> None:
    @task(queue="analytics", cron=YEARLY)
    async def roll_up(day: str = "yesterday", deep: bool = False) -> str:
        return f"{day} {deep}"

    async with crew():
        due = (await schedules.get_schedule("roll_up")).next_at
        plain = await schedules.run_now("roll_up")
        assert (await ended(plain.id)).result == "yesterday False"
        chosen = await schedules.run_now("roll_up", {"day": "2026-11-01", "deep": "true"})
        assert (await ended(chosen.id)).result == "2026-11-01 True"
        view = await schedules.get_schedule("roll_up")
        assert (view.next_at, view.last_run_id, view.last_state) == (due, chosen.id, "succeeded")
        with pytest.raises(InvalidArguments) as caught:
            await schedules.run_now("roll_up", {"night": "x"})
        assert caught.value.field == "night"


@each_engine
async def test_run_now_never_makes_two_at_once(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="analytics", every=1)
    async def alone() -> None:
        await gate.wait()

    @task(queue="analytics", cron=YEARLY, overlap="allow")
    async def together() -> None:
        await gate.wait()

    async with crew():
        await until(lambda: _fired("alone", 1))
        (active,) = await list_runs(RunFilter(task="alone"))
        again = await schedules.run_now("alone")
        assert (again.id, again.created) == (active.id, False)
        assert (await schedules.get_schedule("alone")).last_run_id == active.id
        first, second = await schedules.run_now("together"), await schedules.run_now("together")
        assert first.created
        assert second.created
        for receipt in (first, second):
            await reached(receipt.id, "running")
        gate.set()


@each_database
async def test_an_override_survives_a_restart_and_a_new_declaration(crew: Crew) -> None:
    def declare(hours: int) -> None:
        @task(queue="analytics", cron=f"0 {hours} 1 1 *")
        async def roll_up() -> None: ...

    declare(1)
    async with crew():
        await schedules.set_interval("roll_up", "every 2 h")
        changed = await schedules.get_schedule("roll_up")
        assert changed.override == "every 7200"
        assert changed.next_at is not None
        assert timedelta(minutes=110) < changed.next_at - now() <= timedelta(hours=2)
    declare(5)
    async with open_crew():
        view = await schedules.get_schedule("roll_up")
        assert (view.declared, view.override, view.next_at) == ("0 5 1 1 *", "every 7200", changed.next_at)
        await schedules.set_interval("roll_up", None)
        view = await schedules.get_schedule("roll_up")
        assert view.override is None
        assert view.next_at == datetime(now().year + 1, 1, 1, 5, tzinfo=UTC)


@each_database
async def test_a_pause_and_a_due_time_survive_a_restart(crew: Crew) -> None:
    @task(queue="analytics", every=3600)
    async def roll_up() -> None: ...

    async with crew():
        await until(lambda: _fired("roll_up", 1))
        await schedules.pause("roll_up")
        await ended((await schedules.get_schedule("roll_up")).last_run_id or "")
        before = await schedules.get_schedule("roll_up")
    async with open_crew():
        await asyncio.sleep(0.3)
        assert await schedules.get_schedule("roll_up") == before
        assert await runs_of("roll_up") == 1


@each_database
async def test_a_new_declaration_takes_hold(crew: Crew) -> None:
    def declare(expression: str) -> None:
        @task(queue="analytics", cron=expression)
        async def roll_up() -> None: ...

    declare("0 0 1 1 *")
    async with crew():
        pass
    declare("0 0 2 1 *")
    async with open_crew():
        assert (await schedules.get_schedule("roll_up")).next_at == datetime(now().year + 1, 1, 2, tzinfo=UTC)


@each_engine
async def test_a_shorter_interval_takes_hold_at_once(crew: Crew) -> None:
    @task(queue="analytics", every=86400)
    async def roll_up() -> None: ...

    async with crew():
        await until(lambda: _fired("roll_up", 1))
        await schedules.set_interval("roll_up", "every 1")
        await until(lambda: _fired("roll_up", 3), within=6)


@each_database
async def test_bad_timings_and_unknown_schedules_are_refused(crew: Crew) -> None:
    @task(queue="analytics", cron=YEARLY)
    async def roll_up() -> None: ...

    @task(queue="analytics")
    async def by_hand() -> None: ...

    async with crew():
        before = await schedules.get_schedule("roll_up")
        for timing in ("", "every", "every 0", "* * *", "0 0 31 2 *", "x" * 500):
            with pytest.raises(InvalidSchedule) as caught:
                await schedules.set_interval("roll_up", timing)
            assert caught.value.field == "schedule"
        assert await schedules.get_schedule("roll_up") == before
        for name in ("by_hand", "nobody"):
            for change in (schedules.pause, schedules.resume, schedules.run_now, schedules.get_schedule):
                with pytest.raises(NotFound):
                    await change(name)
            with pytest.raises(NotFound):
                await schedules.set_interval(name, "every 5")


@each_database
async def test_a_schedule_the_code_has_dropped_is_still_shown(crew: Crew) -> None:
    @task(queue="analytics", every=1)
    async def roll_up() -> None: ...

    @task(queue="analytics")
    async def measure() -> None: ...

    async with crew():
        await until(lambda: _fired("roll_up", 1))
    del registry["roll_up"]
    async with open_crew() as runner:
        assert not (await schedules.get_schedule("roll_up")).known
        await asyncio.sleep(1.2)  # it is due now, and nobody here can fire it
        turns = _count_turns(runner.feeder)
        await asyncio.sleep(0.5)
        assert len(turns) < 10, "the feeder runs without a pause"
        assert (await ended((await enqueue(measure)).id)).state == "succeeded"
        await schedules.pause("roll_up")
        assert (await get_run((await schedules.get_schedule("roll_up")).last_run_id or "")).state == "succeeded"


def _count_turns(feeder: object) -> list[None]:
    turns: list[None] = []
    turn = feeder.turn  # type: ignore[attr-defined]

    async def counted(here: object) -> None:
        turns.append(None)
        await turn(here)

    feeder.turn = counted  # type: ignore[attr-defined]
    return turns
