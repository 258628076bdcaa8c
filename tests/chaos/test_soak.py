"""Everything at once: errors that do not pickle, unknown tasks, strangers' messages, cut connections, and a SIGKILL."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from docket import Docket
from redis.asyncio import Redis
from sqlalchemy import select

from backend.db.ids import new_id
from backend.db.models.runs import Process
from backend.db.session import unit_of_work
from backend.runtime import enqueue_many
from backend.runtime.ledger.insert import NewRun, insert_runs
from tests.chaos import tasks
from tests.chaos.conftest import OpenStage
from tests.chaos.invariants import Record
from tests.chaos.stage import Stage, sized
from tests.servers import RedisServer

RUNS = sized(2000, 20_000)
FAILING, RENAMED, STRANGE = RUNS // 20, RUNS // 100, RUNS // 100
SOUND = RUNS - FAILING - RENAMED - STRANGE
CUT_EVERY_S = 4.0
PATIENCE_S = sized(120, 1200)


async def test_every_run_ends_in_its_one_right_state(open_stage: OpenStage, postgres_url: str) -> None:
    with RedisServer(appendonly=True) as server:
        async with open_stage(postgres_url, server.url) as stage:
            worker = stage.hire()
            began = time.monotonic()
            async with _cut_connections(stage, server.url), _strangers(server.url, stage.docket_name):
                ids = await _fill()
                await stage.until(lambda: stage.effects.count("done") > SOUND // 3, PATIENCE_S, "a third is done")
                worker.kill()
                worker.start()
                await stage.until(stage.all_ended, PATIENCE_S, "every run has ended")
            records = await stage.settle(ids)
            spent = time.monotonic() - began

            stage.note("runs", len(records))
            stage.note("seconds", spent)
            stage.note("runs that did their work twice", len(stage.effects.repeated()))
            stage.note("worker loop restarts", (await _process(stage)).restarts)
            _assert_right(records)
            assert set(stage.effects.repeated()) <= {record.run.id for record in records if record.run.crashes}
            assert worker.running
            assert "worker died" not in worker.log


async def _fill() -> list[str]:
    """The runs that come through the ledger. The renamed ones are of a task that no process declares any more."""
    renamed = [NewRun(new_id(), "task_of_last_year", "library", 0, {"number": n}) for n in range(RENAMED)]
    async with unit_of_work() as unit:
        await insert_runs(unit, renamed)
    ids = [run.id for run in renamed]
    ids += await enqueue_many("stumble", [{"number": n} for n in range(FAILING)])
    return ids + await enqueue_many("labour", [{"number": n, "seconds": 0.05} for n in range(SOUND)])


@asynccontextmanager
async def _cut_connections(stage: Stage, url: str) -> AsyncIterator[None]:
    """Close every connection to Redis every few seconds."""
    cuts = 0

    async def cut() -> None:
        nonlocal cuts
        async with Redis.from_url(url, protocol=2) as client:
            while True:
                await asyncio.sleep(CUT_EVERY_S)
                await client.client_kill_filter(_type="normal", skipme=True)
                await client.client_kill_filter(_type="pubsub", skipme=True)
                cuts += 1

    async with _meanwhile(cut()):
        yield
    stage.note("times every connection was cut", cuts)
    assert cuts >= 3


@asynccontextmanager
async def _strangers(url: str, name: str) -> AsyncIterator[None]:
    """Another program adds to the same docket with a stock pydocket: tasks that are known, that are not, and garbage."""

    async def task_of_a_stranger(number: int) -> None:
        """Known to nobody here."""

    async def add(docket: Docket, number: int) -> None:
        function = task_of_a_stranger if number % 2 else tasks.labour
        while True:
            try:
                await docket.add(function, key=f"stranger-{number}")(number)
                return
            except OSError:
                await asyncio.sleep(0.1)  # its connection was cut, too

    async with Docket(name, f"{url}?protocol=2") as docket:
        async with docket.redis() as client:
            await client.xadd(docket.stream_key, {"hello": "world"})
        for number in range(2 * STRANGE):
            await add(docket, number)
        yield


@asynccontextmanager
async def _meanwhile(work: object) -> AsyncIterator[None]:
    task = asyncio.create_task(work)  # type: ignore[arg-type]
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _process(stage: Stage) -> Process:
    async with stage.database.reading() as session:
        return (await session.scalars(select(Process).order_by(Process.started_at.desc()))).first()


def _assert_right(records: list[Record]) -> None:
    found = Counter(_end(record) for record in records)
    assert found == {
        ("labour", "succeeded", None): SOUND + STRANGE,
        ("stumble", "dead", "tests.chaos.tasks.Unpicklable"): FAILING,
        ("task_of_last_year", "dead", "UnknownTask"): RENAMED,
        ("task_of_a_stranger", "dead", "UnknownTask"): STRANGE,
        ("unknown", "dead", "InvalidArguments"): 1,
    }
    twice = [key for key, count in Counter(_strange_keys(records)).items() if count > 1]
    assert not twice, f"{len(twice)} messages became several runs: {twice[:5]}"


def _end(record: Record) -> tuple[str, str, str | None]:
    return record.run.task, record.run.state, record.run.error_type


def _strange_keys(records: list[Record]) -> Iterator[str]:
    return (record.run.key for record in records if record.run.key and record.run.key.startswith("docket:"))
