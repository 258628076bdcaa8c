"""Progress of a live run: in the ledger, and to who watches."""

import asyncio

from backend.runtime import Retry, current_run, enqueue, task
from backend.runtime.direct import run_directly
from backend.runtime.registry import registry
from backend.runtime.runs import get_run
from backend.runtime.watch import watch_run
from tests.runtime.crew import Crew, each_engine, ended, on_inline, until


@each_engine
async def test_progress_is_in_the_ledger_while_it_runs_and_at_the_end(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="library")
    async def scan() -> None:
        run = current_run()
        await run.progress(30, 100, "reading", counts={"spotify": 12, "disk": 18})
        await gate.wait()
        for step in range(31, 101):
            await run.progress(step, 100, f"file {step}", counts={"spotify": 12, "disk": step - 12})

    async with crew():
        receipt = await enqueue(scan)
        await until(lambda: _progress_of(receipt.id))
        halfway = await get_run(receipt.id)
        gate.set()
        run = await ended(receipt.id)
    assert halfway.state == "running"
    assert halfway.progress is not None
    assert {**halfway.progress, "eta_s": 0} == {
        "current": 30,
        "total": 100,
        "percent": 30.0,
        "message": "reading",
        "counts": {"spotify": 12, "disk": 18},
        "eta_s": 0,
    }
    assert halfway.progress["eta_s"] is not None
    assert run.progress is not None
    assert (run.progress["percent"], run.progress["message"]) == (100.0, "file 100")
    assert run.progress["counts"] == {"spotify": 12, "disk": 88}


async def _progress_of(run_id: str) -> object:
    return (await get_run(run_id)).progress


@each_engine
async def test_progress_reaches_who_watches_in_order(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="library")
    async def scan() -> None:
        await gate.wait()
        for step in range(5):
            await current_run().progress(step, 5)
            await asyncio.sleep(0.12)

    async with crew():
        receipt = await enqueue(scan)
        seen = []
        async for event in watch_run(receipt.id):
            gate.set()
            if event.kind == "progress":
                seen.append(event.run["progress"]["current"])
    assert seen == sorted(seen)
    assert len(seen) >= 4


@each_engine
async def test_progress_of_a_failed_attempt_stays_until_the_next(crew: Crew) -> None:
    @task(queue="library", retry=Retry(attempts=2, base=0.01))
    async def scan() -> None:
        await current_run().progress(4, 10)
        raise OSError("away")

    async with crew():
        run = await ended((await enqueue(scan)).id)
    assert run.state == "dead"
    assert run.progress is not None
    assert run.progress["percent"] == 40.0


@on_inline
async def test_a_million_calls_cost_little(crew: Crew) -> None:
    @task(queue="library")
    async def scan() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for step in range(20_000):
            await current_run().progress(step, 20_000, "file", counts={"disk": step})
        return loop.time() - began

    async with crew():
        run = await ended((await enqueue(scan)).id)
    assert run.result < 2.0  # 0.1 ms each, on a machine that is busy


async def test_a_direct_run_reports_to_its_caller() -> None:
    @task(queue="library")
    async def scan(size: int) -> int:
        await current_run().progress(size, 10, "reading")
        return size * 2

    reports = []
    assert await run_directly(registry["scan"], {"size": "5"}, reports.append) == 10
    assert [(progress.percent, progress.message) for progress in reports] == [(50.0, "reading")]
    assert current_run().id == "direct"
