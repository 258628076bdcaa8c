"""Runs as people find, read and requeue them."""

import asyncio

import pytest

from backend.errors import Conflict, InvalidArguments, UnknownRun, UnknownTask
from backend.runtime import Retry, current_run, enqueue, enqueue_many, scheduler, task
from backend.runtime.queues import pause_queue
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter, cancel_run, count_runs, get_run, list_runs, requeue_run
from tests.runtime.crew import Crew, each_database, each_engine, ended, reached

MISSING = "018f0000-0000-7000-8000-000000000000"


@each_database
async def test_lists_are_newest_first_filtered_and_paged(crew: Crew) -> None:
    @task(queue="media", key="m:{number}")
    async def measure(number: int) -> None: ...

    @task(queue="library")
    async def scan(number: int) -> None: ...

    async with crew():
        await pause_queue("media")
        await pause_queue("library")
        measured = [(await enqueue(measure, number)).id for number in range(7)]
        scanned = await enqueue_many(scan, [{"number": number} for number in range(4)])
        await cancel_run(measured[0])
        every = await list_runs(limit=100)
        assert [run.id for run in every] == sorted(measured + scanned, reverse=True)
        assert all(run.attempts == () for run in every)

        pages, before = [], None
        while page := await list_runs(limit=3, before=before):
            pages += page
            before = page[-1].id
        assert pages == every

        assert len(await list_runs(RunFilter(state=["waiting"]))) == 10
        assert len(await list_runs(RunFilter(state=["waiting", "cancelled"], queue="media"))) == 7
        assert [run.id for run in await list_runs(RunFilter(key="m:3"))] == [measured[3]]
        assert [run.id for run in await list_runs(RunFilter(text=measured[2]))] == [measured[2]]
        assert len(await list_runs(RunFilter(task="scan", ids=[*scanned[:2], measured[1]]))) == 2
        assert await list_runs(RunFilter(ids=[])) == []
        counts = await count_runs(RunFilter(queue="media"))
        assert (counts["waiting"], counts["cancelled"], counts["running"]) == (6, 1, 0)
        assert len(counts) == 8


@each_database
async def test_a_run_nobody_enqueued_is_unknown(crew: Crew) -> None:
    async with crew():
        for look in (get_run, cancel_run, requeue_run):
            with pytest.raises(UnknownRun) as caught:
                await look(MISSING)
            assert caught.value.field == "run_id"


@each_engine
async def test_any_ended_run_can_be_requeued_and_keeps_its_past(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=1))
    async def measure(version_id: str) -> str:
        await current_run().progress(1, 2)
        return version_id

    async with crew():
        receipt = await enqueue(measure, "v1")
        before = await ended(receipt.id)
        asked = await requeue_run(receipt.id)
        assert asked.revision > before.revision
        after = await ended(receipt.id)
        later = await scheduler(measure).using(after=60)("v2")
        await cancel_run(later.id)
        await requeue_run(later.id)
        assert (await ended(later.id)).result == "v2"
    assert (after.state, after.result) == ("succeeded", "v1")
    assert [attempt.number for attempt in after.attempts] == [1, 2]
    assert after.attempts[0].args is None


@each_engine
async def test_edited_arguments_are_run_and_the_old_ones_kept_with_the_attempt(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=1), key="m:{version_id}")
    async def measure(version_id: str, gain: float = 1.0) -> float:
        if version_id == "wrong":
            raise OSError("no such version")
        return gain

    async with crew():
        receipt = await enqueue(measure, "wrong")
        assert (await ended(receipt.id)).state == "dead"
        asked = await requeue_run(receipt.id, {"version_id": "right", "gain": "2.5"})
        assert (asked.args, asked.key) == ({"version_id": "right", "gain": 2.5}, "m:right")
        run = await ended(receipt.id)
    assert (run.state, run.result) == ("succeeded", 2.5)
    assert [attempt.args for attempt in run.attempts] == [{"version_id": "wrong", "gain": 1.0}, None]


@each_database
async def test_bad_edits_change_nothing(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=1), key="m:{version_id}")
    async def measure(version_id: str) -> None:
        raise OSError("away")

    async with crew():
        receipt = await enqueue(measure, "v1")
        before = await ended(receipt.id)
        for args, field in (
            ({"version_id": None}, "version_id"),
            ({}, "version_id"),
            ({"version_id": "v", "x": 1}, "x"),
        ):
            with pytest.raises(InvalidArguments) as caught:
                await requeue_run(receipt.id, args)
            assert caught.value.field == field
        del registry["measure"]
        with pytest.raises(UnknownTask):
            await requeue_run(receipt.id)
        after = await get_run(receipt.id)
    assert (after.revision, after.args, after.state) == (before.revision, before.args, "dead")


@each_engine
async def test_an_active_run_cannot_be_requeued(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def measure() -> None:
        await gate.wait()

    async with crew():
        running, scheduled = await enqueue(measure), await scheduler(measure).using(after=60)()
        await reached(running.id, "running")
        for receipt in (running, scheduled):
            with pytest.raises(Conflict) as caught:
                await requeue_run(receipt.id)
            assert caught.value.field == "state"
        gate.set()
        await ended(running.id)


@each_database
async def test_a_key_that_another_run_has_is_a_conflict(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None:
        if version_id != "quick":
            await gate.wait()

    async with crew():
        done = await enqueue(measure, "quick")
        await ended(done.id)
        slow = await enqueue(measure, "slow")
        with pytest.raises(Conflict, match=slow.id) as caught:
            await requeue_run(done.id, {"version_id": "slow"})
        assert caught.value.field == "key"
        before = await get_run(done.id)
        assert (before.state, before.args, before.attempts[0].args) == ("succeeded", {"version_id": "quick"}, None)
        gate.set()
        await ended(slow.id)
        await requeue_run(done.id, {"version_id": "slow"})
        assert (await ended(done.id)).key == "m:slow"


@each_database
async def test_a_key_of_the_call_survives_an_edit(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None: ...

    async with crew():
        receipt = await scheduler(measure).using(key="mine")("v1")
        await ended(receipt.id)
        assert (await requeue_run(receipt.id, {"version_id": "v2"})).key == "mine"
        await ended(receipt.id)


@each_database
async def test_two_who_requeue_at_once_start_it_once(crew: Crew) -> None:
    @task(queue="media", key="m")
    async def measure() -> None:
        await asyncio.sleep(0.2)

    async with crew():
        receipt = await enqueue(measure)
        await ended(receipt.id)
        answers = await asyncio.gather(*(requeue_run(receipt.id) for _ in range(8)), return_exceptions=True)
        assert sum(not isinstance(answer, Conflict) for answer in answers) == 1
        run = await ended(receipt.id)
    assert len(run.attempts) == 2


@each_database
async def test_two_runs_that_want_one_key_do_not_both_get_it(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str) -> None:
        await asyncio.sleep(0.2)

    async with crew():
        ids = [(await enqueue(measure, f"v{number}")).id for number in range(4)]
        for run_id in ids:
            await ended(run_id)
        wanted = {"version_id": "same"}
        answers = await asyncio.gather(*(requeue_run(run_id, wanted) for run_id in ids), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Conflict)]
        assert [answer.field for answer in refused] == ["key"] * 3
        runs = [await ended(run_id) for run_id in ids]
    assert [run.key for run in runs].count("m:same") == 1
    assert sum(run.attempts[0].args is not None for run in runs) == 1
