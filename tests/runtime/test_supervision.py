"""A crew in trouble: the worker loop dies, Redis or the database goes away, the event loop is blocked."""

import asyncio
import logging
import time

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from backend.db.session import unit_of_work
from backend.runtime import enqueue, enqueue_many, task
from backend.runtime.health import health, redis_durability
from backend.runtime.runs import RunFilter, list_runs
from tests.conftest import set_environment
from tests.databases import PostgresDatabases
from tests.postgres import PostgresServer
from tests.runtime.crew import (
    Crew,
    all_ended,
    dockets,
    each_engine,
    ended,
    in_production,
    on,
    on_inline,
    open_crew,
    reached,
    until,
)
from tests.servers import RedisServer


async def rename(before: str, after: str) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


async def degraded(part: str) -> bool:
    return any(part in sentence for sentence in (await health()).degraded)


async def sound() -> bool:
    view = await health()
    return [sentence for sentence in view.degraded if "not durable" not in sentence] == []


@each_engine
async def test_a_healthy_crew(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew() as runner:
        await ended((await enqueue(measure)).id)
        await until(lambda: runner.card.canary_at is not None)
        view = await health()
    assert view.live
    assert view.ready
    assert await _none(view.degraded)
    assert view.checks["database"] == "ok"
    assert view.checks["process"]["name"] == runner.card.name
    assert view.checks["process"]["capacity"] == 10
    assert all(loop["alive"] for loop in view.checks["loops"].values())
    assert view.checks["queues"]["media"]["waiting"] == 0


async def _none(sentences: list[str]) -> bool:
    # The Redis that tests share has no append-only file.
    return [sentence for sentence in sentences if "not durable" not in sentence] == []


@dockets
async def test_a_worker_loop_that_dies_is_logged_restarted_and_shown(
    crew: Crew, caplog: pytest.LogCaptureFixture
) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew() as runner:
        await ended((await enqueue(measure)).id)
        assert runner.engine_loop._inner is not None
        with caplog.at_level(logging.ERROR):
            runner.engine_loop._inner.cancel()
            await until(lambda: degraded("the worker loop is down: RuntimeError: worker ended by itself"))
        assert "worker died" in caplog.text
        assert "Traceback" in caplog.text
        assert (await ended((await enqueue(measure)).id)).state == "succeeded"
        await until(sound)
        view = await health()
    assert view.checks["loops"]["worker"] == {
        "alive": True,
        "restarts": 1,
        "last_error": "RuntimeError: worker ended by itself",
    }


async def test_a_schema_that_is_not_there_is_said_and_survived(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL="memory://schema")

    @task(queue="media")
    async def measure() -> None: ...

    async with open_crew() as runner:
        assert runner.docket is not None
        await rename("runs", "runs_gone")
        async with runner.docket.redis() as redis:  # a message that cannot be read, to be buried in the ledger
            await redis.xadd(runner.docket.stream_key, {"nonsense": "1"})
        await until(lambda: degraded("the queues cannot be read"))
        await asyncio.sleep(0.5)
        await rename("runs_gone", "runs")
        assert (await ended((await enqueue(measure)).id, within=30)).state == "succeeded"
        await until(_buried, within=30)
        await until(sound, within=30)


async def _buried() -> bool:
    return len(await list_runs(RunFilter(state=["dead"]))) == 1


@dockets
async def test_a_loop_that_beats_but_does_not_work_is_found_by_its_canary(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_CANARY_S="0.3")

    @task(queue="media")
    async def measure() -> None: ...

    async with crew() as runner:
        await until(lambda: runner.card.canary_at is not None)
        assert runner.docket is not None
        worker = runner.engine._worker  # type: ignore[union-attr]
        assert worker is not None
        worker.concurrency = 0  # alive, heart beating, and taking nothing
        await until(lambda: degraded("no canary"), within=10)
        await until(lambda: "no canary came back" in (runner.engine_loop.last_error or ""), within=10)
        await until(sound, within=20)
        assert runner.engine._worker is not worker  # type: ignore[union-attr]
        assert (await ended((await enqueue(measure)).id)).state == "succeeded"


@on_inline
async def test_a_blocked_event_loop_is_reported(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_environment(monkeypatch, RUNNER_LOOP_BLOCK_S="0.3")

    @task(queue="media")
    async def rude() -> None:
        await asyncio.sleep(0.2)
        time.sleep(0.9)  # noqa: ASYNC251

    async with crew():
        await ended((await enqueue(rude)).id)
        assert await degraded("the event loop was blocked")
    assert "time.sleep(0.9)" in caplog.text


@on(("redis", "postgresql"))
async def test_while_redis_is_away_callers_succeed_and_runs_wait(
    crew: Crew, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_server.url)

    @task(queue="media")
    async def measure() -> None: ...

    async with crew() as runner:
        await ended((await enqueue(measure)).id)
        await until(sound)
        assert (await health()).degraded == []
        redis_server.kill()
        receipts = await asyncio.gather(*(enqueue(measure) for _ in range(20)))
        assert {receipt.state for receipt in receipts} <= {"waiting", "queued"}
        await until(lambda: degraded("the engine is away"))
        view = await health()
        assert (view.live, view.ready) == (True, True)
        assert "Redis does not answer" in view.degraded
        assert (await enqueue(measure)).state == "waiting"
        redis_server.start()
        assert await all_ended([receipt.id for receipt in receipts], within=40) == {"succeeded": 20}
        await until(sound, within=20)
        assert runner.engine_loop.alive


@in_production
async def test_a_redis_that_evicts_or_forgets_is_reported(crew: Crew, redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url, protocol=2) as client:
        assert await redis_durability(client) == []
        await client.config_set("maxmemory-policy", "allkeys-lru")
        await client.config_set("appendonly", "no")
        assert len(await redis_durability(client)) == 2


@in_production
async def test_a_stop_while_redis_is_away_ends(
    crew: Crew, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_server.url)

    @task(queue="media")
    async def measure() -> None:
        await asyncio.sleep(60)

    async with crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        redis_server.kill()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 20


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """A PostgreSQL of the test's own, with a migrated database that DATABASE_URL names."""
    server = PostgresServer().start()
    databases = PostgresDatabases(server.url, tmp_path_factory.mktemp("own"))
    set_environment(monkeypatch, DATABASE_URL=databases.migrated(), DOCKET_URL="memory://own", RUNNER_POLL_S="0.2")
    yield server
    server.remove()


async def test_while_the_database_is_away_the_crew_waits_and_goes_on(own_postgres: PostgresServer) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def measure() -> str:
        await gate.wait()
        return "done"

    async with open_crew() as runner:
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        ids = await enqueue_many(measure, [{} for _ in range(30)])
        own_postgres.stop()
        gate.set()
        view = await health()
        assert (view.live, view.ready) == (True, False)
        assert "the database does not answer" in view.degraded
        await asyncio.sleep(0.5)
        own_postgres.start()
        assert await all_ended([receipt.id, *ids], within=40) == {"succeeded": 31}
        assert all(loop.alive for loop in runner.loops)
        assert (await health()).ready


async def test_a_stop_while_the_database_is_away_ends(own_postgres: PostgresServer) -> None:
    @task(queue="media")
    async def measure() -> None:
        await asyncio.sleep(60)

    async with open_crew():
        receipt = await enqueue(measure)
        await reached(receipt.id, "running")
        own_postgres.stop()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 20


async def test_a_start_while_the_database_is_away_says_so(own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    with pytest.raises(Exception, match=r"(?i)database|connect"):
        async with open_crew():
            pass
