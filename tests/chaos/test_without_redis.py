"""SIGKILL where no Redis redelivers: the fallback marks what was lost, and memory:// goes on from the ledger."""

import asyncio
import signal

from backend.db.models.runs import State
from backend.runtime import Options, enqueue, enqueue_many, runs
from tests.chaos.conftest import OpenStage
from tests.chaos.invariants import read_ledger
from tests.chaos.stage import Stage

RUNS, LATER = 40, 10


async def _interrupt(stage: Stage) -> list[str]:
    """Fill the ledger, and start a process over it that is killed in the middle."""
    ids = await enqueue_many("labour", [{"number": n, "seconds": 0.4 + n % 4 / 5} for n in range(RUNS)])
    ids += [(await enqueue("labour", n, options=Options(after=6))).id for n in range(LATER)]
    process = stage.hire()
    await stage.until(lambda: stage.effects.count("done") >= 10, 20, "some runs are done")
    process.kill()
    return ids


async def test_the_fallback_marks_what_it_lost(open_stage: OpenStage, sqlite_url: str) -> None:
    async with open_stage(sqlite_url, None) as stage:
        ids = await _interrupt(stage)
        stage.hire()
        records = await stage.settle(ids)
        interrupted = [record.run.id for record in records if record.run.state == State.INTERRUPTED]
        stage.note("interrupted", len(interrupted))
        assert interrupted
        assert {record.run.state for record in records} == {State.INTERRUPTED, State.SUCCEEDED}

        for run_id in interrupted:
            assert (await runs.requeue_run(run_id)).state == State.WAITING
        await stage.until(stage.all_ended, 30, "what was requeued has ended")
        again = {record.run.id: record for record in await read_ledger(stage.database)}
        assert [a.outcome for a in again[interrupted[0]].attempts] == ["lost", "succeeded"]
        assert {record.run.state for record in again.values()} == {State.SUCCEEDED}


async def test_memory_goes_on_from_the_ledger(open_stage: OpenStage, sqlite_url: str) -> None:
    async with open_stage(sqlite_url, "memory://chaos") as stage:
        ids = await _interrupt(stage)
        process = stage.hire()
        done = stage.effects.count("done")
        again = await stage.until(lambda: stage.effects.count("done") > done, 20, "runs are done again")
        records = await stage.settle(ids)
        stage.note("first run done after the restart, s", again)
        assert {record.run.state for record in records} == {State.SUCCEEDED}
        assert any(record.run.crashes for record in records)

        process.terminate()
        assert process.exit_code(15) == 0


async def test_a_killed_fallback_leaves_nothing_half_written(open_stage: OpenStage, sqlite_url: str) -> None:
    """Killed again and again while it writes: the ledger opens each time, and is whole at the end."""
    async with open_stage(sqlite_url, None) as stage:
        ids = await enqueue_many("labour", [{"number": n, "seconds": 0.01} for n in range(400)])
        process = stage.hire()
        for goal in (30, 60, 90):
            await stage.until(lambda goal=goal: stage.effects.count("done") >= goal, 20, f"{goal} runs are done")
            process.kill()
            assert process.exit_code(0) == -signal.SIGKILL
            await asyncio.to_thread(process.start)
        records = await stage.settle(ids)
        assert {record.run.state for record in records} <= {State.INTERRUPTED, State.SUCCEEDED}
