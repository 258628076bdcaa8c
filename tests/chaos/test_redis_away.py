"""Redis killed, restarted, emptied and frozen under waiting, queued, scheduled and running runs: none is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from backend.runtime import Options, enqueue, enqueue_many, registry
from backend.runtime.runner import open_runner
from backend.settings import get_settings
from tests.chaos.conftest import OpenStage
from tests.chaos.invariants import Record
from tests.chaos.stage import Stage, sized
from tests.servers import RedisServer

WAITING, SCHEDULED, LONG_RUNS = sized(200, 1000), sized(100, 500), 4
CALLS_DURING = 20
ENQUEUED_WITHIN_S = 4.0

Disaster = Callable[[RedisServer, Callable[[], Awaitable[None]]], Awaitable[None]]


async def kill(server: RedisServer, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """SIGKILL, and back after longer than a lease lives: empty, or with what its log kept."""
    server.kill()
    await meanwhile()
    await asyncio.sleep(9)
    server.start()


async def empty(server: RedisServer, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """FLUSHALL: nobody is disconnected."""
    async with Redis.from_url(server.url, protocol=2) as client:
        await client.flushall()
    await meanwhile()


async def freeze(server: RedisServer, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """SIGSTOP: connections stay open, and what was sent is answered much later."""
    server.freeze()
    await meanwhile()
    await asyncio.sleep(5)
    server.thaw()


@pytest.mark.parametrize(
    ("disaster", "appendonly", "dialect"),
    [(kill, False, "postgres"), (kill, True, "sqlite"), (empty, True, "postgres"), (freeze, True, "sqlite")],
    ids=["killed-without-persistence", "killed-with-aof", "emptied", "frozen"],
)
async def test_nothing_is_lost_with_redis(
    disaster: Disaster, appendonly: bool, dialect: str, open_stage: OpenStage, request: pytest.FixtureRequest
) -> None:
    database_url = str(request.getfixturevalue(f"{dialect}_url"))
    with RedisServer(appendonly=appendonly) as server:
        async with open_stage(database_url, server.url) as stage, _caller(stage):
            stage.hire()
            ids = await _fill()
            await stage.until(lambda: stage.effects.count("done") >= 30, 30, "some runs are done")
            states = await stage.states()
            assert min(states[state] for state in ("waiting", "scheduled", "running")) > 0, states

            meanwhile: list[str] = []
            await disaster(server, lambda: _enqueue_some(stage, meanwhile))
            back, done = time.time(), stage.effects.count("done")
            again = await stage.until(lambda: stage.effects.count("done") > done, 30, "runs are done again")
            records = await stage.settle([*ids, *meanwhile])

            stage.note("first run done after Redis was back, s", again)
            stage.note("everything done after, s", max(e.at for e in stage.effects.read("done")) - back)
            stage.note("runs that did their work twice", len(stage.effects.repeated()))
            assert {record.run.state for record in records} == {"succeeded"}
            _assert_nobody_died(records)


@asynccontextmanager
async def _caller(stage: Stage) -> AsyncIterator[None]:
    """This process takes part as an API does: it enqueues and hands over, and executes nothing."""
    # As in the crew: what schedules fire would be counted with the runs of the test, and nobody there knows those tasks.
    scheduled = {name: spec for name, spec in registry.items() if spec.schedule is not None}
    for name in scheduled:
        del registry[name]
    try:
        async with open_runner(get_settings(), "api"):
            yield
    finally:
        registry.update(scheduled)


async def _fill() -> list[str]:
    """Runs that end about when Redis is back, waiting ones, and scheduled ones."""
    ids = [(await enqueue("labour", n, 12.0 + n)).id for n in range(LONG_RUNS)]
    ids += await enqueue_many("labour", [{"number": n, "seconds": 0.1} for n in range(WAITING)])
    for number in range(SCHEDULED):
        ids.append((await enqueue("labour", number, 0.05, options=Options(after=4 + number % 10))).id)
    return ids


async def _enqueue_some(stage: Stage, ids: list[str]) -> None:
    """Callers that know nothing of the disaster, a few at once and then one by one."""
    slowest = 0.0

    async def call(number: int) -> None:
        nonlocal slowest
        began = time.monotonic()
        ids.append((await enqueue("errand", number)).id)
        slowest = max(slowest, time.monotonic() - began)

    await asyncio.gather(*(call(number) for number in range(CALLS_DURING // 2)))
    for number in range(CALLS_DURING // 2):
        await call(number)
    stage.note("slowest enqueue meanwhile, s", slowest)
    assert slowest < ENQUEUED_WITHIN_S


def _assert_nobody_died(records: list[Record]) -> None:
    """No worker died, so no run may count a crash: three of them would bury it."""
    crashed = [f"{record.run.id}: {[a.outcome for a in record.attempts]}" for record in records if record.run.crashes]
    assert not crashed, "\n".join(crashed)
