"""What nobody has any more is found and set right: with its process, with Redis's data, or with a lost message."""

import asyncio

import pytest
from redis import Redis
from sqlalchemy import update

from backend.db.base import now
from backend.db.models.runs import Process, Run
from backend.db.session import open_database, unit_of_work
from backend.runtime import enqueue
from backend.runtime.runs import RunFilter, get_run, list_runs, requeue_run
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.runtime import rooms
from tests.runtime.crew import Crew, ended, in_production, on, on_memory, open_crew, reached
from tests.runtime.process import Other, other_process


async def _kill(process: Other) -> None:
    """SIGKILL, and let its last sign of life be long ago."""
    await process.kill()
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Process).values(seen_at=now().replace(year=2020)))


@on(("inline", "postgresql"))
async def test_without_docket_a_lost_run_is_interrupted_and_can_be_requeued(crew: Crew) -> None:
    rooms.declare()
    async with other_process() as process, open_database(get_settings().database):
        receipt = await enqueue(rooms.hold)
        await reached(receipt.id, "running")
        waiting = await _wait_behind(3)
        await _kill(process)
    async with crew():
        run = await ended(receipt.id)
        assert (run.state, run.crashes, run.attempts[0].outcome) == ("interrupted", 1, "lost")
        assert [(await ended(run_id)).state for run_id in waiting] == ["succeeded"] * 3
        await requeue_run(receipt.id, {"seconds": 0})
        run = await ended(receipt.id)
    assert (run.state, run.result, run.crashes, len(run.attempts)) == ("succeeded", "held", 0, 2)


@on_memory
async def test_in_memory_a_lost_run_and_what_was_queued_run_again(crew: Crew) -> None:
    rooms.declare()
    async with other_process() as process, open_database(get_settings().database):
        receipt = await enqueue(rooms.hold, 3)
        await reached(receipt.id, "running")
        async with unit_of_work() as unit:
            queued = (await enqueue(rooms.hold, 0)).id
            lost = {"state": "queued", "handover": 1, "handed_at": now(), "worker": process.name}
            await unit.connection.execute(update(Run).where(Run.id == queued).values(**lost))
        await _kill(process)
    async with crew():
        assert (await ended(queued)).state == "succeeded"
        run = await ended(receipt.id)
    assert (run.state, run.attempt, run.crashes) == ("succeeded", 1, 1)
    assert [attempt.outcome for attempt in run.attempts] == ["lost", "succeeded"]


async def _wait_behind(count: int) -> list[str]:
    return [(await enqueue(rooms.hold, 0)).id for _ in range(count)]


@on_memory
async def test_a_clean_restart_of_memory_repairs_what_was_queued(crew: Crew) -> None:
    rooms.declare()
    async with crew() as runner:
        await runner.engine_loop.stop()
        receipts = [await enqueue(rooms.hold, 0) for _ in range(5)]
        for receipt in receipts:
            await reached(receipt.id, "queued")
    async with open_crew():
        for receipt in receipts:
            run = await ended(receipt.id)
            assert (run.state, run.crashes) == ("succeeded", 0)


@in_production
async def test_what_redis_has_lost_is_handed_over_again(
    crew: Crew, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_CANARY_S="60")
    rooms.declare()
    async with crew() as runner:
        running = await enqueue(rooms.hold, 3)
        await reached(running.id, "running")
        draining = asyncio.create_task(runner.engine_loop.stop(patience_s=30))
        await asyncio.sleep(0.2)
        queued = [await enqueue(rooms.hold, 0) for _ in range(3)]
        for receipt in queued:
            await reached(receipt.id, "queued")
        name = get_settings().docket.docket_name
        with Redis.from_url(redis_url, protocol=2) as client:
            for key in client.scan_iter(f"{name}*"):
                client.delete(key)
        await draining
        runner.engine_loop.start()
        for receipt in queued:
            assert (await ended(receipt.id)).state == "succeeded"
        run = await ended(running.id)
    assert (run.state, run.crashes, len(run.attempts)) == ("succeeded", 0, 1)


@in_production
async def test_a_run_its_worker_knows_nothing_of_is_started_again(crew: Crew) -> None:
    rooms.declare()
    async with crew() as runner:
        async with unit_of_work() as unit:
            receipt = await enqueue(rooms.hold, 0)
            long_ago = now().replace(year=2020)
            lost = {"state": "running", "handover": 1, "starts": 1, "attempt": 1, "worker": runner.card.name}
            await unit.connection.execute(
                update(Run).where(Run.id == receipt.id).values(**lost, handed_at=long_ago, started_at=long_ago)
            )
        run = await ended(receipt.id)
    assert (run.state, run.attempt, run.crashes) == ("succeeded", 1, 1)


@on_memory
async def test_a_poison_pill_is_dead_after_so_many_workers(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_CRASH_LIMIT="2")
    rooms.declare()
    async with open_database(get_settings().database):
        receipt = await enqueue(rooms.hold)
        for crash in (1, 2):
            async with other_process() as process:
                run = await reached(receipt.id, "running")
                assert run.crashes == crash - 1
                await _kill(process)
    async with open_crew():
        run = await ended(receipt.id)
        await asyncio.sleep(0.3)
        assert (await get_run(receipt.id)).state == "dead"
        assert await list_runs(RunFilter(state=["running", "queued", "waiting"])) == []
    assert (run.error_type, run.crashes) == ("WorkerLost", 2)
    assert [attempt.outcome for attempt in run.attempts] == ["lost"] * 2
