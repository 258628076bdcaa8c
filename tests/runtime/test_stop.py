"""Stopping: what runs gets its grace, what is left is handed back, and nothing is lost or counted."""

import asyncio
from collections import Counter

import pytest
from redis import Redis

from backend.errors import Unavailable
from backend.runtime import Retry, enqueue, enqueue_many, task
from backend.runtime.runner import current_runner, require_docket
from backend.runtime.runs import RunFilter, get_run, list_runs
from tests.conftest import set_environment
from tests.runtime.crew import Crew, all_ended, each_engine, ended, in_production, open_crew, reached


@each_engine
async def test_what_runs_may_finish_within_the_grace(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_SHUTDOWN_GRACE_S="10")

    @task(queue="media")
    async def measure() -> str:
        await asyncio.sleep(0.5)
        return "finished"

    async with crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
    async with open_crew():
        run = await get_run(receipt.id)
    assert (run.state, run.result) == ("succeeded", "finished")


@each_engine
async def test_what_does_not_finish_waits_again_and_no_attempt_is_burnt(crew: Crew) -> None:
    cleaned: list[str] = []
    restarted = False

    @task(queue="media", retry=Retry(attempts=1))
    async def measure(clumsy: bool) -> str:
        if restarted:
            return "finished"
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("cleaned")
            if clumsy:
                raise OSError("the clean-up failed")
        return "never"

    async with crew():
        ids = [(await enqueue(measure, clumsy)).id for clumsy in (False, True)]
        for run_id in ids:
            await reached(run_id, "running")
    restarted = True
    assert cleaned == ["cleaned"] * 2
    async with open_crew():
        runs = [await ended(run_id) for run_id in ids]
    for run in runs:
        assert (run.state, run.attempt, run.crashes) == ("succeeded", 1, 0)
        assert [attempt.outcome for attempt in run.attempts] == ["interrupted", "succeeded"]


@each_engine
async def test_a_burst_just_before_the_stop_is_not_lost(crew: Crew) -> None:
    executed: Counter[int] = Counter()

    @task(queue="media")
    async def measure(number: int) -> None:
        executed[number] += 1

    async with crew():
        ids = await enqueue_many(measure, [{"number": number} for number in range(100)])
        await asyncio.gather(*(enqueue(measure, number) for number in range(100, 120)))
    async with open_crew():
        every = [run.id for run in await list_runs(RunFilter(), limit=200)]
        assert len(every) == 120
        assert set(ids) < set(every)
        assert await all_ended(every, within=20) == {"succeeded": 120}
        crashes = {(await get_run(run_id)).crashes for run_id in every}
    assert crashes == {0}
    assert set(executed.values()) == {1}


@each_engine
async def test_what_is_enqueued_while_it_drains_is_not_started_there(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_SHUTDOWN_GRACE_S="10")
    draining = asyncio.Event()
    followed: list[bool] = []

    @task(queue="media")
    async def follower() -> None:
        followed.append(draining.is_set())

    @task(queue="media")
    async def leader() -> str:
        await draining.wait()
        await asyncio.sleep(0.1)
        return (await enqueue(follower)).state

    async with crew():
        receipt = await enqueue(leader)
        await reached(receipt.id, "running")
        asyncio.get_running_loop().call_later(0.1, draining.set)
    assert followed == []
    async with open_crew():
        assert (await get_run(receipt.id)).result == "waiting"
        (run,) = await list_runs(RunFilter(task="follower"))
        assert (await ended(run.id)).state == "succeeded"


@each_engine
async def test_a_work_that_will_not_stop_does_not_hold_the_process(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.runtime.runner.HALT_PATIENCE_S", 0.2)
    release = asyncio.Event()

    @task(queue="media")
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with crew():
        receipt = await enqueue(stubborn)
        await reached(receipt.id, "running")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 12
    release.set()
    await asyncio.sleep(0.05)


@each_engine
async def test_after_the_stop_there_is_no_runner(crew: Crew) -> None:
    async with crew() as runner:
        assert current_runner() is runner
        if runner.docket is not None:
            assert require_docket() is runner.docket
    assert current_runner() is None
    with pytest.raises(Unavailable) as caught:
        require_docket()
    assert caught.value.field == "DOCKET_URL"


@in_production
async def test_what_was_taken_and_not_begun_is_handed_back_at_once(crew: Crew, redis_url: str) -> None:
    @task(queue="media")
    async def measure() -> None:
        """A repeat does nothing new."""

    async with crew() as runner:
        docket = runner.docket
        assert docket is not None
        await ended((await enqueue(measure)).id)
        await runner.engine_loop.stop()
        receipt = await enqueue(measure)
        await reached(receipt.id, "queued")
        with Redis.from_url(redis_url, protocol=2) as client:
            # As if the stop came just after the read.
            assert client.xreadgroup(docket.worker_group_name, runner.card.name, {docket.stream_key: ">"})
    async with open_crew():
        run = await ended(receipt.id, within=5)
    assert (run.state, run.attempt, run.crashes) == ("succeeded", 1, 0)
