"""Two processes, one Redis: a schedule fires once for each due time, and a limit holds for both together."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import select

from backend.db.models.runs import Run, Schedule
from backend.db.session import unit_of_work
from backend.runtime import enqueue_many
from tests.chaos.conftest import OpenStage
from tests.chaos.stage import Stage, sized

SECONDS = sized(8, 60)


async def test_a_schedule_fires_once_per_due_time(open_stage: OpenStage, postgres_url: str, redis_url: str) -> None:
    async with open_stage(postgres_url, redis_url) as stage:
        crew = [stage.hire(CHAOS_SCHEDULE="1"), stage.hire(CHAOS_SCHEDULE="1")]
        await stage.until(lambda: stage.effects.count("done") >= SECONDS // 2, 2 * SECONDS + 20, "half of the beats")
        # One of the two goes without a word. The beat goes on.
        crew[0].kill()
        await stage.until(lambda: stage.effects.count("done") >= SECONDS, 2 * SECONDS + 20, "all of the beats")
        await _pause_schedule(stage)
        await stage.settle([])

        fired = Counter(await _due_times(stage))
        assert set(fired.values()) == {1}, "a due time fired twice"
        first, last = min(fired), max(fired)
        missing = [first + timedelta(seconds=n) for n in range((last - first) // timedelta(seconds=1) + 1)]
        assert [due for due in missing if due not in fired] == [], "a due time was passed over"
        stage.note("due times", len(fired))


async def test_a_limit_of_one_never_overlaps(open_stage: OpenStage, postgres_url: str, redis_url: str) -> None:
    async with open_stage(postgres_url, redis_url) as stage:
        crew = [stage.hire(), stage.hire()]
        ids = await enqueue_many("alone", [{"seconds": 0.1} for _ in range(sized(30, 300))])
        ids += await enqueue_many("labour", [{"number": n, "seconds": 0.05} for n in range(100)])
        await stage.until(lambda: _done_alone(stage, ids) >= 5, 30, "some are done")
        # The lock of a process that dies is free at once, and its run must not meet another one all the same.
        crew[0].kill()
        records = await stage.settle(ids)

        assert stage.effects.count("overlapped") == 0
        assert {record.run.state for record in records} == {"succeeded"}
        workers = {attempt.worker for record in records for attempt in record.attempts}
        assert len(workers - {"unknown"}) == 2, "both took part"


def _done_alone(stage: Stage, ids: list[str]) -> int:
    done = stage.effects.by_run("done")
    return sum(run_id in done for run_id in ids[:30])


async def _pause_schedule(stage: Stage) -> None:
    async with unit_of_work() as unit:
        for schedule in (await unit.session.scalars(select(Schedule))).all():
            schedule.paused = True
    await asyncio.sleep(1)


async def _due_times(stage: Stage) -> list[datetime]:
    async with stage.database.reading() as session:
        keys = (await session.scalars(select(Run.key).where(Run.task == "beat"))).all()
    return [datetime.fromisoformat(key.removeprefix("schedule ")) for key in keys if key]
