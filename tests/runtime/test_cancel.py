"""Cancel reaches a run in every active state, and the children of its work."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.db.session import unit_of_work
from backend.errors import Conflict, UnknownRun
from backend.runtime import Retry, enqueue, enqueue_many, scheduler, task
from backend.runtime.cancel import cancel_in
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import cancel_run, get_run
from tests.runtime.crew import Crew, dockets, each_database, each_engine, ended, on_inline, reached, until


@each_engine
async def test_a_run_that_did_not_start_is_cancelled_at_once(crew: Crew) -> None:
    begun = []

    @task(queue="media")
    async def measure(name: str) -> None:
        begun.append(name)

    async with crew():
        await pause_queue("media")
        waiting = await enqueue(measure, "waiting")
        scheduled = await scheduler(measure).using(after=60)("scheduled")
        for receipt in (waiting, scheduled):
            run = await cancel_run(receipt.id)
            assert run.state == "cancelled"
            assert run.finished_at is not None
        await resume_queue("media")
        other = await enqueue(measure, "other")
        await ended(other.id)
    assert begun == ["other"]


@dockets
async def test_a_queued_run_is_taken_off_the_stream(crew: Crew) -> None:
    begun = []

    @task(queue="media")
    async def measure(name: str) -> None:
        begun.append(name)

    async with crew() as runner:
        await runner.engine_loop.stop()  # what is handed over stays on the stream
        receipt = await enqueue(measure, "queued")
        await reached(receipt.id, "queued")
        assert (await cancel_run(receipt.id)).state == "cancelled"
        ticket_key = f"{receipt.id}:1"
        assert await runner.engine.missing([ticket_key]) == {ticket_key}
    assert begun == []


@each_engine
async def test_a_running_run_is_stopped_and_cleans_up(crew: Crew) -> None:
    events: list[str] = []

    @task(queue="media", retry=Retry(attempts=5))
    async def measure() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.6)  # longer than several heartbeats
            events.append("cleaned up")

    async with crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        asked = await cancel_run(receipt.id)
        assert (asked.state, asked.cancel_requested) == ("running", True)
        run = await ended(receipt.id)
    assert (run.state, run.error, run.result) == ("cancelled", None, None)
    assert [attempt.outcome for attempt in run.attempts] == ["cancelled"]
    assert events == ["cleaned up"]


@each_engine
async def test_cancelling_twice_is_a_conflict_once_it_has_ended(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew():
        cancelled = await scheduler(measure).using(after=60)()
        await cancel_run(cancelled.id)
        finished = await enqueue(measure)
        await ended(finished.id)
        for receipt, state in ((cancelled, "cancelled"), (finished, "succeeded")):
            before = await get_run(receipt.id)
            with pytest.raises(Conflict, match=state) as caught:
                await cancel_run(receipt.id)
            assert caught.value.field == "state"
            assert await get_run(receipt.id) == before
        with pytest.raises(UnknownRun):
            await cancel_run("018f0000-0000-7000-8000-000000000000")


@each_engine
async def test_children_die_with_the_run(crew: Crew, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    @task(queue="media")
    async def transcode() -> None:
        child = await asyncio.create_subprocess_exec("sleep", "60")
        pid_file.write_text(str(child.pid))
        try:
            await child.wait()
        finally:
            child.kill()
            await child.wait()

    async with crew():
        receipt = await enqueue(transcode)
        await until(lambda: pid_file.exists() and pid_file.read_text())
        await cancel_run(receipt.id)
        assert (await ended(receipt.id)).state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@each_engine
async def test_a_run_between_two_attempts_is_not_tried_again(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=5, base=60))
    async def flaky() -> None:
        raise OSError("away")

    async with crew():
        receipt = await enqueue(flaky)
        await reached(receipt.id, "scheduled")
        run = await cancel_run(receipt.id)
    assert (run.state, run.attempt) == ("cancelled", 1)


@each_engine
async def test_what_fails_while_it_is_cancelled_is_not_tried_again(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=5, base=0.01))
    async def clumsy() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("the clean-up failed") from None

    async with crew():
        receipt = await enqueue(clumsy)
        await reached(receipt.id, "running")
        await cancel_run(receipt.id)
        run = await ended(receipt.id)
    assert (run.state, len(run.attempts)) == ("cancelled", 1)


@each_engine
async def test_a_cancel_comes_through_the_ledger_when_the_engine_is_not_told(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None:
        await asyncio.sleep(60)

    async with crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        async with unit_of_work() as unit:
            await unit.connection.execute(
                text("UPDATE runs SET cancel_requested = true WHERE id = :id"), {"id": receipt.id}
            )
        assert (await ended(receipt.id, within=5)).state == "cancelled"


@each_database
async def test_a_cancel_is_rolled_back_with_its_unit(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None:
        await asyncio.sleep(0.3)

    async def cancel_and_fail(run_id: str) -> None:
        async with unit_of_work() as unit:
            assert await cancel_in(unit, run_id)
            raise ZeroDivisionError

    async with crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        with pytest.raises(ZeroDivisionError):
            await cancel_and_fail(receipt.id)
        assert (await ended(receipt.id)).state == "succeeded"


@on_inline
async def test_a_hundred_runs_cancelled_at_any_moment_all_end(crew: Crew) -> None:
    @task(queue="media")
    async def measure(number: int) -> None:
        await asyncio.sleep(0.01 * (number % 5))

    async def cancel_soon(run_id: str, number: int) -> None:
        await asyncio.sleep(0.005 * (number % 40))
        with suppress(Conflict):
            await cancel_run(run_id)

    async with crew():
        ids = await enqueue_many(measure, [{"number": number} for number in range(100)])
        await asyncio.gather(*(cancel_soon(run_id, number) for number, run_id in enumerate(ids)))
        states = [(await ended(run_id)).state for run_id in ids]
    assert set(states) <= {"succeeded", "cancelled"}
