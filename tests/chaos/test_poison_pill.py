"""A run that takes its process down each time it starts: buried after three deaths, and it takes nobody with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.runtime import enqueue, enqueue_many
from tests.chaos.conftest import OpenStage
from tests.chaos.process import CrewProcess
from tests.chaos.stage import sized

PILLS, HEALTHY = sized(1, 3), sized(40, 200)
# The deaths are what is tested, not the default patience.
QUICK: dict[str, str | None] = {"RUNNER_REDELIVERY_S": "2", "RUNNER_HEARTBEAT_S": "0.5"}


async def test_a_poison_pill_is_buried_and_buries_nobody(
    open_stage: OpenStage, sqlite_url: str, redis_url: str
) -> None:
    async with open_stage(sqlite_url, redis_url) as stage:
        # Runs long enough to be under way at every death of the process.
        healthy = await enqueue_many(
            "labour", [{"number": n, "seconds": 2.5 if n < 6 else 0.5} for n in range(HEALTHY)]
        )
        pills = [(await enqueue("poison", 0.1 * number)).id for number in range(PILLS)]
        worker = stage.hire(**QUICK)
        async with _supervised(worker) as deaths:
            records = await stage.settle([*healthy, *pills])

        ends = {record.run.id: record for record in records}
        stage.note("deaths of the process", len(deaths))
        stage.note("healthy runs that a death hit", sum(bool(ends[run_id].run.crashes) for run_id in healthy))
        stage.note("and more than once", sum(ends[run_id].run.crashes > 1 for run_id in healthy))
        for pill in pills:
            assert (ends[pill].run.state, ends[pill].run.error_type, ends[pill].run.crashes) == (
                "dead",
                "WorkerLost",
                3,
            )
            assert len(stage.effects.by_run("began")[pill]) == 3
        assert {ends[run_id].run.state for run_id in healthy} == {"succeeded"}
        assert deaths == [137] * len(deaths)


@asynccontextmanager
async def _supervised(worker: CrewProcess) -> AsyncIterator[list[int]]:
    """Start the process again whenever it dies, as every platform does. Gives its exit codes."""
    codes: list[int] = []

    async def watch() -> None:
        while True:
            code = worker.exit_code(0)
            if code is not None:
                codes.append(code)
                await asyncio.to_thread(worker.start)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        yield codes
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
