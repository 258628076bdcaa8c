"""PostgreSQL goes away while runs finish: nothing is lost, and ends are recorded once it is back."""

import asyncio
import time

import pytest
from docket import Docket

from backend.runtime import enqueue_many
from tests.chaos import tasks
from tests.chaos.conftest import OpenStage
from tests.chaos.stage import Stage, sized
from tests.postgres import PostgresServer

AWAY_S = 6.0
OUTAGES = sized(2, 6)


async def test_a_strangers_message_waits_for_the_database(
    open_stage: OpenStage, own_postgres: tuple[PostgresServer, str], redis_url: str
) -> None:
    """It stands nowhere but in Redis, so it may not be acknowledged before the ledger has it."""

    async def task_of_a_stranger() -> None: ...

    server, url = own_postgres
    async with open_stage(url, redis_url) as stage, Docket(stage.docket_name, f"{redis_url}?protocol=2") as docket:
        worker = stage.hire()
        server.stop()
        for number in range(3):
            await docket.add(tasks.labour, key=f"known-{number}")(number)
        await docket.add(task_of_a_stranger, key="unknown")()
        async with docket.redis() as client:
            await client.xadd(docket.stream_key, {"hello": "world"})
        await asyncio.sleep(3)
        await asyncio.to_thread(server.start)
        await stage.until(lambda: stage.effects.count("done") >= 3, 20, "the known ones are done")
        await stage.until(lambda: _dead(stage, 2), 20, "the others are dead letters")
        await stage.settle([])
        assert "worker died" not in worker.log


async def _dead(stage: Stage, count: int) -> bool:
    return (await stage.states())["dead"] == count


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_ends_are_recorded_when_the_database_is_back(
    how: str, open_stage: OpenStage, own_postgres: tuple[PostgresServer, str], redis_url: str
) -> None:
    server, url = own_postgres
    async with open_stage(url, redis_url) as stage:
        workers = [stage.hire(), stage.hire()]
        calls = [{"number": n, "seconds": 0.2 + n % 20 / 5} for n in range(sized(120, 600))]
        ids = await enqueue_many("labour", calls)
        for outage in range(OUTAGES):
            await stage.until(lambda goal=10 * (outage + 1): stage.effects.count("done") >= goal, 30, "runs are done")
            getattr(server, how)()
            before = stage.effects.count("done")
            await asyncio.sleep(AWAY_S)
            finished = stage.effects.count("done") - before
            await asyncio.to_thread(server.start)
            back, reached = time.monotonic(), stage.effects.count("done") + 5
            await stage.until(lambda goal=reached: stage.effects.count("done") >= goal, 30, "runs are done again")
            stage.note(f"outage {outage + 1}: runs whose work ended in it", finished)
            stage.note(f"outage {outage + 1}: five more done after s", time.monotonic() - back)
        records = await stage.settle(ids)

        stage.note("runs that did their work twice", len(stage.effects.repeated()))
        assert {record.run.state for record in records} == {"succeeded"}
        assert not [record.run.id for record in records if record.run.crashes], "no worker died"
        assert not stage.effects.repeated()
        assert all(worker.running for worker in workers)
