"""A worker that is frozen past its leases and thaws when others have done its runs: nothing ends twice."""

import asyncio

import pytest
from sqlalchemy.exc import DBAPIError

from backend.runtime import enqueue_many
from backend.runtime.ledger.claim import SILENT_HOLDER_MS, lock
from tests.chaos.conftest import OpenStage
from tests.chaos.effects import Effect
from tests.chaos.stage import Stage

RUNS = 30
QUICK: dict[str, str | None] = {"RUNNER_REDELIVERY_S": "2", "RUNNER_HEARTBEAT_S": "0.5"}


async def test_a_zombie_ends_nothing_twice(open_stage: OpenStage, postgres_url: str, redis_url: str) -> None:
    # Not on SQLite: a process that is frozen while it writes holds the one write lock there is.
    async with open_stage(postgres_url, redis_url) as stage:
        frozen = stage.hire(**QUICK)
        ids = await enqueue_many("labour", [{"number": n, "seconds": 1.0 + n % 5 / 5} for n in range(RUNS)])
        await stage.until(lambda: len(_held(stage, frozen.pid)) >= 5, 20, "the worker has its hands full")
        held = _held(stage, frozen.pid)
        frozen.freeze()
        stage.hire(**QUICK)
        await stage.until(stage.all_ended, 120, "the other worker has done everything")
        ended = {record.run.id: record.run.revision for record in await stage.settle(ids)}

        frozen.thaw()
        zombies = [run_id for run_id in held if len(stage.effects.by_run("began")[run_id]) > 1]
        await stage.until(lambda: _all_done_here(stage, zombies, frozen.pid), 20, "the zombie has come to its ends")
        await asyncio.sleep(2)  # for whatever it wants to write
        records = await stage.settle(ids)

        stage.note("runs that the zombie held", len(held))
        assert {record.run.id: record.run.revision for record in records} == ended, "an end was touched again"
        assert {record.run.state for record in records} == {"succeeded"}
        # It is a member of the crew again.
        more = await enqueue_many("labour", [{"number": n, "seconds": 0.2} for n in range(40)])
        await stage.settle([*ids, *more])
        assert frozen.pid in {effect.pid for effect in stage.effects.read("done") if effect.run_id in more}


async def test_a_silent_holder_of_the_feeders_lock_is_shown_out(
    open_stage: OpenStage, postgres_url: str, redis_url: str
) -> None:
    async with open_stage(postgres_url, redis_url) as stage:
        stage.hire()
        holding = asyncio.Event()

        async def hold() -> None:
            async with stage.database.unit() as unit:
                await lock(unit)
                holding.set()
                await asyncio.sleep(SILENT_HOLDER_MS / 1000 + 3)

        silent = asyncio.create_task(hold())
        await holding.wait()
        ids = await enqueue_many("labour", [{"number": n} for n in range(20)])
        records = await stage.settle(ids, SILENT_HOLDER_MS / 1000 + 10)
        with pytest.raises(DBAPIError):
            await silent
        assert {record.run.state for record in records} == {"succeeded"}


def _held(stage: Stage, pid: int) -> set[str]:
    done = stage.effects.by_run("done")
    return {effect.run_id for effect in stage.effects.read("began") if effect.pid == pid and effect.run_id not in done}


def _all_done_here(stage: Stage, run_ids: list[str], pid: int) -> bool:
    def by_it(effects: list[Effect]) -> bool:
        return any(effect.pid == pid for effect in effects)

    done = stage.effects.by_run("done")
    return all(by_it(done[run_id]) for run_id in run_ids)
