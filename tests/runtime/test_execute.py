"""What an attempt comes to: success, another try, death, parking, snoozing, time-out."""

import asyncio
import logging
import sys
from datetime import timedelta

from backend.db.base import now
from backend.errors import AuthExpired, Conflict, RateLimited, Snooze, Unavailable
from backend.runtime import Retry, after, current_run, enqueue, task
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.registry import registry
from backend.runtime.runs import get_run, release_parked
from tests.runtime.crew import Crew, each_database, each_engine, ended, on_inline, reached, until

QUICK = Retry(attempts=3, base=0.05, factor=1.0, jitter=0.0)
logger = logging.getLogger("a.library")


@each_engine
async def test_every_attempt_is_kept_with_its_error_and_its_log(crew: Crew) -> None:
    @task(queue="media", retry=QUICK)
    async def flaky(name: str) -> str:
        attempt = current_run().attempt
        logger.warning("attempt %d of %s", attempt, name)
        if attempt < 3:
            raise OSError(f"disk {attempt} is full")
        return "done"

    async with crew() as runner:
        run = await ended((await enqueue(flaky, "v1")).id)
    assert (run.state, run.attempt, run.max_attempts, run.result) == ("succeeded", 3, 3, "done")
    assert (run.error, run.error_type, run.crashes) == (None, None, 0)
    assert [attempt.number for attempt in run.attempts] == [1, 2, 3]
    assert [attempt.outcome for attempt in run.attempts] == ["failed", "failed", "succeeded"]
    assert [attempt.error for attempt in run.attempts] == ["disk 1 is full", "disk 2 is full", None]
    for number, attempt in enumerate(run.attempts, 1):
        assert attempt.worker == runner.card.name
        assert attempt.ended_at is not None
        assert attempt.ended_at >= attempt.started_at
        assert attempt.logs is not None
        assert f"attempt {number} of v1" in [line["message"] for line in attempt.logs]
    assert "raise OSError" in (run.attempts[0].traceback or "")


@each_engine
async def test_spent_attempts_end_in_death(crew: Crew) -> None:
    @task(queue="media", retry=QUICK)
    async def hopeless() -> None:
        raise OSError("disk 7 is full")

    async with crew():
        run = await ended((await enqueue(hopeless)).id)
    assert (run.state, run.attempt, len(run.attempts)) == ("dead", 3, 3)
    assert (run.error_type, run.error) == ("OSError", "disk 7 is full")
    assert run.error_group
    assert run.finished_at is not None
    assert run.due_at is None


@each_engine
async def test_between_attempts_a_run_is_scheduled_with_its_error(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=2, base=60, jitter=0))
    async def flaky() -> None:
        raise OSError("away")

    async with crew():
        run = await reached((await enqueue(flaky)).id, "scheduled")
    assert run.due_at is not None
    assert timedelta(seconds=50) < run.due_at - now() <= timedelta(seconds=60)
    assert (run.error, run.attempt, run.finished_at) == ("away", 1, None)


@each_database
async def test_permanent_errors_die_at_once(crew: Crew) -> None:
    @task(queue="media", retry=QUICK)
    async def refuse() -> None:
        raise Conflict("gone for good")

    async with crew():
        run = await ended((await enqueue(refuse)).id)
    assert (run.state, run.attempt, run.error_type) == ("dead", 1, "Conflict")


@each_database
async def test_retry_after_is_obeyed(crew: Crew) -> None:
    @task(queue="media", retry=QUICK)
    async def limited() -> None:
        raise RateLimited("slow down", after=timedelta(minutes=10))

    @task(queue="media", retry=QUICK)
    async def absurd() -> None:
        raise Unavailable("come back never", after=timedelta.max)

    async with crew():
        run = await reached((await enqueue(limited)).id, "scheduled")
        assert run.due_at is not None
        assert run.due_at - now() > timedelta(minutes=9)
        run = await reached((await enqueue(absurd)).id, "scheduled")
        assert run.due_at is not None
        assert run.due_at - now() > timedelta(days=300)


@each_engine
async def test_a_snooze_burns_no_attempt(crew: Crew) -> None:
    visits = 0

    @task(queue="media", retry=Retry(attempts=1))
    async def not_yet() -> str:
        nonlocal visits
        visits += 1
        if visits < 4:
            raise Snooze(after=timedelta(seconds=0.05))
        return f"attempt {current_run().attempt}"

    async with crew():
        run = await ended((await enqueue(not_yet)).id)
    assert (run.state, run.result, run.attempt) == ("succeeded", "attempt 1", 1)
    assert [attempt.outcome for attempt in run.attempts] == ["snoozed"] * 3 + ["succeeded"]


@each_engine
async def test_an_expired_sign_in_parks_the_run_until_it_is_released(crew: Crew) -> None:
    signed_in: set[str] = set()

    @task(queue="federation", retry=Retry(attempts=1))
    async def like(account: str) -> str:
        if account not in signed_in:
            raise AuthExpired("sign in again", subject=f"account:{account}")
        return "liked"

    async with crew():
        one, other = (await enqueue(like, "a")).id, (await enqueue(like, "b")).id
        for run_id in (one, other):
            await until(lambda run_id=run_id: _parked(run_id))
        signed_in.add("a")
        assert await release_parked("account:nobody") == 0
        assert await release_parked("account:a") == 1
        run = await ended(one)
        assert (run.state, run.result, run.attempt, run.parked_on) == ("succeeded", "liked", 1, None)
        assert [attempt.outcome for attempt in run.attempts] == ["parked", "succeeded"]
        waiting = await get_run(other)
    assert (waiting.state, waiting.parked_on, waiting.attempt) == ("waiting", "account:b", 0)


async def _parked(run_id: str) -> bool:
    return (await get_run(run_id)).parked_on is not None


@each_engine
async def test_a_time_out_is_tried_again_and_named(crew: Crew) -> None:
    @task(queue="media", timeout=0.1, retry=Retry(attempts=2, base=0.01))
    async def slow() -> None:
        await asyncio.sleep(30)

    async with crew():
        run = await ended((await enqueue(slow)).id)
    assert (run.state, run.error_type, run.error) == ("dead", "TimedOut", "slow took longer than 0.1 s")
    assert [attempt.outcome for attempt in run.attempts] == ["timed_out", "timed_out"]


@on_inline
async def test_a_time_out_of_the_works_own_is_an_ordinary_error(crew: Crew) -> None:
    @task(queue="media", timeout=30, retry=Retry(attempts=1))
    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(30)

    async with crew():
        run = await ended((await enqueue(impatient)).id)
    assert (run.error_type, run.attempts[0].outcome) == ("TimeoutError", "failed")


@each_engine
async def test_a_work_that_cancels_or_exits_by_itself_has_failed(crew: Crew) -> None:
    @task(queue="media", retry=Retry(attempts=1))
    async def cancelled() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    @task(queue="media", retry=Retry(attempts=1))
    async def exits() -> None:
        sys.exit(3)

    async with crew():
        one, other = await ended((await enqueue(cancelled)).id), await ended((await enqueue(exits)).id)
    assert (one.state, one.error_type) == ("dead", "asyncio.exceptions.CancelledError")
    assert (other.state, other.error_type, other.error) == ("dead", "SystemExit", "3")


@each_engine
async def test_what_follows_gets_the_arguments_and_the_result(crew: Crew) -> None:
    followed: list[tuple[str, object]] = []

    @task(queue="media")
    async def ingest_of_a_test(version_id: str, size: int) -> dict[str, int]:
        return {"seconds": size * 2}

    @task(queue="media")
    async def measure_of_a_test(version_id: str) -> None: ...

    @after(ingest_of_a_test)
    async def go_on(version_id: str, result: object) -> None:
        followed.append((version_id, result))
        await enqueue(measure_of_a_test, version_id)

    async with crew():
        run = await ended((await enqueue(ingest_of_a_test, "v1", 21)).id)
        assert run.state == "succeeded"
    assert followed == [("v1", {"seconds": 42})]


@each_database
async def test_a_follower_that_fails_is_tried_again(crew: Crew) -> None:
    calls: list[int] = []

    @task(queue="media", retry=QUICK)
    async def ingest_with_trouble(version_id: str) -> None: ...

    @after(ingest_with_trouble)
    async def trouble() -> None:
        calls.append(current_run().attempt)
        if len(calls) < 2:
            raise OSError("not yet")

    async with crew():
        run = await ended((await enqueue(ingest_with_trouble, "v1")).id)
    assert (run.state, calls) == ("succeeded", [1, 2])


@each_database
async def test_arguments_are_checked_again_at_the_start(crew: Crew) -> None:
    @task(queue="media")
    async def measure(version_id: str) -> None: ...

    async with crew():
        await pause_queue("media")
        receipt = await enqueue(measure, "v1")

        def redeploy() -> None:
            @task(queue="media")
            async def measure(version_id: int) -> None: ...

        registry.clear()
        redeploy()
        await resume_queue("media")
        run = await ended(receipt.id)
    assert (run.state, run.error_type) == ("dead", "InvalidArguments")
    assert "version_id" in (run.error or "")
