"""Keys: what an enqueue does when a run with the same key is active."""

import asyncio
from datetime import timedelta

from backend.db.base import now
from backend.db.session import unit_of_work
from backend.errors import RateLimited, Unavailable
from backend.runtime import Retry, enqueue, scheduler, task
from backend.runtime.enqueue import Options
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import RunFilter, get_run, list_runs
from tests.runtime.crew import Crew, each_database, each_engine, ended, reached


@each_engine
async def test_an_active_run_is_returned_whatever_its_state(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str, deep: bool = False) -> None:
        await gate.wait()

    schedule = scheduler(measure)
    async with crew():
        later = await schedule.using(after=60)("v-later")
        again = await schedule("v-later", deep=True)
        assert (again.id, again.state, again.created) == (later.id, "scheduled", False)

        first = await schedule("v1")
        await reached(first.id, "running")
        second, other = await schedule("v1", deep=True), await schedule("v2")
        assert (second.id, second.state, second.created) == (first.id, "running", False)
        assert other.id != first.id
        gate.set()
        run = await ended(first.id)
        assert (run.state, run.key, run.args["deep"]) == ("succeeded", "m:v1", False)

        fresh = await schedule("v1")
        assert fresh.created
        assert fresh.id != first.id
        await ended(fresh.id)


@each_engine
async def test_replace_cancels_the_active_run_and_takes_its_place(crew: Crew) -> None:
    finished = []
    gate = asyncio.Event()

    @task(queue="media", key="m:{version_id}", unique="replace")
    async def measure(version_id: str, number: int) -> None:
        if number == 2:
            await asyncio.sleep(30)
        await gate.wait()
        finished.append(number)

    schedule = scheduler(measure)
    async with crew():
        gate.set()
        one = await schedule.using(after=60)("v1", 1)
        two = await schedule("v1", 2)
        assert (await get_run(one.id)).state == "cancelled"
        await reached(two.id, "running")
        three = await schedule("v1", 3)
        assert three.created
        assert (await ended(two.id)).state == "cancelled"
        assert (await ended(three.id)).state == "succeeded"
    assert finished == [3]


@each_engine
async def test_debounce_merges_a_burst_into_one_run_with_the_newest_arguments(crew: Crew) -> None:
    seen = []

    @task(queue="media", key="sync:{album_id}", unique="debounce")
    async def sync(album_id: str, title: str) -> None:
        seen.append(title)

    schedule = scheduler(sync).using(debounce=0.5)
    async with crew():
        receipts = [await schedule("a1", f"title {number}") for number in range(5)]
        assert [receipt.created for receipt in receipts] == [True, False, False, False, False]
        assert len({receipt.id for receipt in receipts}) == 1
        run = await ended(receipts[0].id)
        assert run.args["title"] == "title 4"
    assert seen == ["title 4"]


@each_engine
async def test_a_change_while_the_debounced_run_runs_causes_one_more(crew: Crew) -> None:
    seen, gate = [], asyncio.Event()

    @task(queue="media", key="sync:{album_id}", unique="debounce")
    async def sync(album_id: str, title: str) -> None:
        seen.append(title)
        await gate.wait()

    schedule = scheduler(sync).using(debounce=0.05)
    async with crew():
        first = await schedule("a1", "old")
        await reached(first.id, "running")
        second, third = await schedule("a1", "newer"), await schedule("a1", "newest")
        assert second.created
        assert (third.id, third.created) == (second.id, False)
        gate.set()
        assert (await ended(first.id)).state == "succeeded"
        assert (await ended(second.id)).state == "succeeded"
        assert len(await list_runs(RunFilter(task="sync"))) == 2
    assert seen == ["old", "newest"]


@each_database
async def test_a_debounced_call_moves_the_due_time_back(crew: Crew) -> None:
    @task(queue="media", key="sync", unique="debounce")
    async def sync() -> None: ...

    schedule = scheduler(sync)
    async with crew():
        receipt = await schedule.using(debounce=20)()
        first = await get_run(receipt.id)
        await schedule.using(debounce=60)()
        second = await get_run(receipt.id)
        await schedule()
        third = await get_run(receipt.id)
    assert first.due_at is not None
    assert second.due_at is not None
    assert third.due_at is not None
    assert second.due_at - first.due_at > timedelta(seconds=39)
    assert timedelta(seconds=3) < third.due_at - now() <= timedelta(seconds=5)
    assert first.revision < second.revision < third.revision


@each_database
async def test_a_debounced_call_does_not_hurry_where_a_server_asked_to_wait(crew: Crew) -> None:
    @task(queue="media", key="sync:{error}", unique="debounce", retry=Retry(attempts=3, base=60))
    async def sync(error: str) -> None:
        raise RateLimited("busy", after=timedelta(seconds=60)) if error == "busy" else Unavailable("away")

    schedule = scheduler(sync).using(debounce=0)
    async with crew():
        left = {}
        for error in ("busy", "away"):
            receipt = await schedule(error)
            async with asyncio.timeout(10):
                while (run := await get_run(receipt.id)).error is None or run.state != "scheduled":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await schedule.using(debounce=5)(error)
            due = (await get_run(receipt.id)).due_at
            assert due
            left[error] = (due - now()).total_seconds()
    assert 40 < left["busy"] <= 60
    assert left["away"] <= 5


@each_database
async def test_a_key_of_the_call_wins_over_the_declared_one(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None: ...

    async with crew():
        await pause_queue("media")
        one = await enqueue(measure, "v1", options=Options(key="mine"))
        two = await enqueue(measure, "v2", options=Options(key="mine"))
        three = await enqueue(measure, "v1")
        await resume_queue("media")
        assert (one.id, three.created) == (two.id, True)
        assert (await ended(one.id)).key == "mine"


@each_database
async def test_keys_are_per_task(crew: Crew) -> None:
    @task(queue="media", key="v:{version_id}")
    async def measure(version_id: str) -> None: ...

    @task(queue="media", key="v:{version_id}")
    async def render(version_id: str) -> None: ...

    async with crew():
        await pause_queue("media")
        assert (await enqueue(measure, "v1")).id != (await enqueue(render, "v1")).id


@each_database
async def test_a_key_taken_in_a_unit_that_fails_is_free_again(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None: ...

    async with crew():
        try:
            async with unit_of_work():
                lost = await enqueue(measure, "v1")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        kept = await enqueue(measure, "v1")
        assert kept.created
        assert kept.id != lost.id
        await ended(kept.id)


@each_database
async def test_many_callers_of_one_key_get_one_run(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None:
        await asyncio.sleep(0.5)

    async with crew():
        receipts = await asyncio.gather(*(enqueue(measure, "v1") for _ in range(50)))
        assert sum(receipt.created for receipt in receipts) == 1
        assert len({receipt.id for receipt in receipts}) == 1
        await ended(receipts[0].id)


@each_database
async def test_many_replacements_leave_one_active(crew: Crew) -> None:
    @task(queue="media", key="m", unique="replace")
    async def measure(number: int) -> int:
        return number

    async with crew():
        await pause_queue("media")
        receipts = await asyncio.gather(*(enqueue(measure, number) for number in range(20)))
        assert all(receipt.created for receipt in receipts)
        assert len(await list_runs(RunFilter(state=["waiting"]))) == 1
        await resume_queue("media")
        runs = [await ended(receipt.id) for receipt in receipts]
    assert sorted(run.state for run in runs) == ["cancelled"] * 19 + ["succeeded"]
