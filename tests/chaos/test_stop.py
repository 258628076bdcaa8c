"""SIGTERM: what runs may finish within the grace, the rest is handed back unharmed, and the process ends in time."""

import time

import pytest

from backend.db.models.runs import State
from backend.runtime import enqueue_many
from tests.chaos.conftest import OpenStage
from tests.chaos.invariants import read_ledger
from tests.chaos.process import CrewProcess
from tests.chaos.stage import Stage
from tests.postgres import PostgresServer
from tests.servers import RedisServer

GRACE_S = 2.0
GRACE: dict[str, str | None] = {"RUNNER_SHUTDOWN_GRACE_S": str(GRACE_S)}
QUICK: dict[str, str | None] = {"RUNNER_REDELIVERY_S": "2", "RUNNER_HEARTBEAT_S": "0.5"}
# What an end needs beyond the grace: the last writes, and the interpreter.
BEYOND_S = 5.0
SHORT_S, LONG_S = 1.0, 6.0


async def _under_way(stage: Stage) -> list[str]:
    """Three runs that end within the grace and three that do not, all begun, and some that wait."""
    calls = [{"number": n, "seconds": SHORT_S if n % 2 else LONG_S} for n in range(6)]
    return await enqueue_many("labour", [*calls, *({"number": n, "seconds": 0.1} for n in range(20))])


async def _begun(stage: Stage) -> None:
    await stage.until(lambda: stage.effects.count("began") >= 6, 20, "six runs began")


def _stop(worker: CrewProcess, patience_s: float) -> tuple[int | None, float]:
    began = time.monotonic()
    worker.terminate()
    return worker.exit_code(patience_s), time.monotonic() - began


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
async def test_a_stop_drains_and_hands_back(
    dialect: str, open_stage: OpenStage, redis_url: str, request: pytest.FixtureRequest
) -> None:
    async with open_stage(str(request.getfixturevalue(f"{dialect}_url")), redis_url) as stage:
        ids = await _under_way(stage)
        worker = stage.hire(**GRACE)
        await _begun(stage)

        code, spent = _stop(worker, GRACE_S + BEYOND_S)
        stage.note("stopped after s", spent)
        assert code == 0, worker.log
        records = {record.run.id: record for record in await read_ledger(stage.database)}
        done = stage.effects.by_run("done")
        assert {records[i].run.state for i in ids[1:6:2]} == {State.SUCCEEDED}, "short runs end within the grace"
        handed_back = [records[i] for i in ids[0:6:2]]
        assert {(r.run.state, r.run.attempt, r.run.crashes) for r in handed_back} == {(State.WAITING, 0, 0)}
        assert {r.run.state for r in records.values()} <= {State.SUCCEEDED, State.WAITING, State.QUEUED}
        assert not set(ids[0:6:2]) & done.keys()

        stage.hire()
        after = {record.run.id: record for record in await stage.settle(ids)}
        assert [a.outcome for a in after[ids[0]].attempts] == ["interrupted", "succeeded"]
        assert {record.run.state for record in after.values()} == {State.SUCCEEDED}
        assert not any(record.run.crashes for record in after.values())


async def test_a_second_signal_ends_it_at_once(open_stage: OpenStage, sqlite_url: str, redis_url: str) -> None:
    async with open_stage(sqlite_url, redis_url) as stage:
        ids = await _under_way(stage)
        worker = stage.hire()
        await _begun(stage)

        worker.terminate()
        assert worker.exit_code(0.5) is None, "within the default grace it lets runs finish"
        code, spent = _stop(worker, 5)
        assert code == 128 + 15, worker.log
        assert spent < 1
        stage.hire(**QUICK)
        records = await stage.settle(ids)
        assert {record.run.state for record in records} == {State.SUCCEEDED}


async def test_a_stop_ends_in_time_without_redis(open_stage: OpenStage, sqlite_url: str) -> None:
    with RedisServer(appendonly=True) as server:
        async with open_stage(sqlite_url, server.url) as stage:
            ids = await _under_way(stage)
            worker = stage.hire(**GRACE)
            await _begun(stage)

            server.kill()
            code, spent = _stop(worker, 20)
            stage.note("stopped without Redis after s", spent)
            assert code == 0, worker.log
            server.start()
            stage.hire(**QUICK)
            records = await stage.settle(ids)
            assert {record.run.state for record in records} == {State.SUCCEEDED}
            assert not any(record.run.crashes for record in records)


async def test_a_stop_ends_in_time_without_the_database(
    open_stage: OpenStage, own_postgres: tuple[PostgresServer, str], redis_url: str
) -> None:
    server, url = own_postgres
    async with open_stage(url, redis_url) as stage:
        ids = await _under_way(stage)
        worker = stage.hire(**GRACE)
        await _begun(stage)

        server.stop()
        code, spent = _stop(worker, 20)
        stage.note("stopped without the database after s", spent)
        assert code == 0, worker.log
        assert "the ledger is away" in worker.log, "what could not be written down is not passed over in silence"
        server.start()
        stage.hire(**QUICK)
        records = await stage.settle(ids)
        assert {record.run.state for record in records} == {State.SUCCEEDED}
