"""docket with its traps closed: connections, unreadable messages, and what it costs when nothing happens."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from backend.runtime import enqueue, task
from backend.runtime.engine.safe_docket import safe_url
from backend.runtime.runs import RunFilter, list_runs
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.runtime.crew import Crew, all_ended, ended, in_production, on, until
from tests.servers import RedisServer


def test_the_url_gets_what_makes_redis_safe() -> None:
    options = parse_qs(urlsplit(safe_url("redis://:secret@host:7/2", 10)).query)
    assert options == {
        "protocol": ["2"],
        "socket_timeout": ["70"],
        "socket_keepalive": ["true"],
        "max_connections": ["58"],
    }
    assert safe_url("redis://:secret@host:7/2", 10).startswith("redis://:secret@host:7/2?")


def test_what_the_url_says_already_wins() -> None:
    options = parse_qs(urlsplit(safe_url("rediss://host/0?max_connections=5&protocol=3", 10)).query)
    assert options["max_connections"] == ["5"]
    assert options["protocol"] == ["3"]


def test_memory_needs_nothing() -> None:
    assert safe_url("memory://x", 10) == "memory://x"


@in_production
async def test_an_unreadable_message_of_a_dead_worker_is_buried_too(
    crew: Crew, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_REDELIVERY_S="1")

    @task(queue="media")
    async def measure() -> None: ...

    async with crew() as runner:
        docket = runner.docket
        assert docket is not None
        await ended((await enqueue(measure)).id)
        await runner.engine_loop.stop()
        with Redis.from_url(redis_url, protocol=2) as client:
            client.xadd(docket.stream_key, {"key": "poison", "function": "measure", "args": "x"})
            taken = client.xreadgroup(docket.worker_group_name, "a dead worker", {docket.stream_key: ">"})
            assert taken
        runner.engine_loop.start()
        await until(_one_is_dead)
        assert (await ended((await enqueue(measure)).id)).state == "succeeded"
        assert runner.engine_loop.restarts == 0


async def _one_is_dead() -> bool:
    return len(await list_runs(RunFilter(state=["dead"], key="docket:poison"))) == 1


@in_production
async def test_connections_that_are_cut_are_nobodys_trouble(
    crew: Crew, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_server.url)

    @task(queue="media")
    async def measure(number: int) -> int:
        await asyncio.sleep(0.02)
        return number

    async with crew() as runner, AsyncRedis.from_url(redis_server.url, protocol=2) as client:
        ids = []
        for number in range(60):
            ids.append((await enqueue(measure, number)).id)
            if number % 20 == 10:
                await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await all_ended(ids, within=30) == {"succeeded": 60}
        assert runner.engine_loop.restarts == 0
        runs = await list_runs(RunFilter(task="measure"), limit=100)
    assert {run.attempt for run in runs} == {1}


@in_production
async def test_an_idle_process_sends_few_commands_whatever_it_declares(
    crew: Crew, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(
        monkeypatch,
        DOCKET_URL=redis_server.url,
        RUNNER_POLL_S=None,
        RUNNER_REPAIR_S=None,
        RUNNER_HEARTBEAT_S=None,
        RUNNER_CANARY_S=None,
    )
    for number in range(40):
        await _declare(f"task_{number}")
    async with crew() as runner, AsyncRedis.from_url(redis_server.url, protocol=2) as client:
        await until(lambda: runner.card.canary_at is not None)
        await asyncio.sleep(1)
        before = await client.info("stats")
        await asyncio.sleep(4)
        after = await client.info("stats")
    sent = (after["total_commands_processed"] - before["total_commands_processed"]) / 4
    assert sent <= 6, f"{sent:g} commands a second"


async def _declare(name: str) -> None:
    async def work() -> None: ...

    work.__name__ = work.__qualname__ = name
    task(queue="media")(work)


@on(("redis", "sqlite"), ("redis", "postgresql"))
async def test_a_thousand_callers_at_once(
    crew: Crew, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_server.url)
    most = 0

    @task(queue="media")
    async def measure(number: int) -> int:
        return number

    async def count_clients(client: Redis) -> None:
        nonlocal most
        while True:
            most = max(most, len(await client.client_list()))
            await asyncio.sleep(0.02)

    async with crew(), AsyncRedis.from_url(redis_server.url, protocol=2) as client:
        counting = asyncio.create_task(count_clients(client))
        receipts = await asyncio.gather(*(enqueue(measure, number) for number in range(1000)))
        assert len({receipt.id for receipt in receipts}) == 1000
        assert await all_ended([receipt.id for receipt in receipts], within=60) == {"succeeded": 1000}
        counting.cancel()
    capacity = get_settings().docket.docket_worker_concurrency
    assert 1 < most <= capacity + 48 + 1
