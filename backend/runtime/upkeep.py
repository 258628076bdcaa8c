"""The runner's own housekeeping: finished runs leave the ledger after a while."""

from datetime import timedelta

from sqlalchemy import delete, select

from backend.db.base import now
from backend.db.models.runs import Run, State
from backend.db.session import database, unit_of_work
from backend.runtime.context import current_run
from backend.runtime.enqueue import scheduler
from backend.runtime.registry import task
from backend.settings import get_settings

BATCH = 1000
ENDED_WELL = (State.SUCCEEDED, State.CANCELLED)


async def prune_finished(keep: timedelta) -> int:
    """Delete succeeded and cancelled runs that ended longer ago than `keep`, in batches. Dead ones stay until purged."""
    before, deleted = now() - keep, 0
    while True:
        old = select(Run.id).where(Run.finished_at < before, Run.state.in_(ENDED_WELL)).limit(BATCH)
        async with database().reading() as session:
            ids = (await session.scalars(old)).all()
        if not ids:
            return deleted
        async with unit_of_work() as unit:
            deleted += (await unit.connection.execute(delete(Run).where(Run.id.in_(ids)))).rowcount
        await current_run().progress(deleted, deleted + BATCH, "pruning")


@task(queue="upkeep", cron="17 3 * * *", priority=-10, timeout=3600)
async def prune_runs() -> dict[str, int]:
    """Delete what RUNNER_KEEP_DAYS says is old enough. A repeat finds less to delete, and harms nothing."""
    return {"deleted": await prune_finished(timedelta(days=get_settings().runner.runner_keep_days))}


schedule_prune_runs = scheduler(prune_runs)
