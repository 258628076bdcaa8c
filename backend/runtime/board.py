"""What is going on at large: work by minute, what runs now, which processes are there, and queues that nobody takes from."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, cast, extract, func, select, text

from backend.db.base import now
from backend.db.models.runs import Attempt, Outcome, Process, Run, State
from backend.db.session import database
from backend.runtime.processes import silent_before
from backend.runtime.queues import QueueView
from backend.runtime.registry import registry
from backend.runtime.runner import current_runner
from backend.runtime.views import RunView
from backend.settings import get_settings

FAILED = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST)


@dataclass(frozen=True)
class Minute:
    """What ended within one minute: runs that succeeded, and attempts that failed."""

    at: datetime
    succeeded: int
    failed: int


@dataclass(frozen=True)
class ProcessView:
    """A process that shares the ledger. `silent` is true when its last sign of life is too old to believe in it."""

    name: str
    kind: str
    engine: str
    host: str
    pid: int
    version: str
    capacity: int
    running: int
    loop_lag_ms: float
    memory_mb: float
    restarts: int
    last_error: str | None
    canary_at: datetime | None
    started_at: datetime
    seen_at: datetime
    tasks: list[str]
    silent: bool


async def by_minute(minutes: int = 60) -> list[Minute]:
    """The last `minutes` minutes, oldest first, also those in which nothing happened."""
    last = now().replace(second=0, microsecond=0)
    first = last - timedelta(minutes=minutes - 1)
    ended, failed = _minute(Run.finished_at), _minute(Attempt.ended_at)
    succeeded = (
        select(ended, func.count())
        .where(Run.finished_at >= first, Run.state == State.SUCCEEDED)
        .group_by(text("minute"))
    )
    # Attempts are found by their start: one that began before and failed within is looked for a day back.
    failures = (
        select(failed, func.count())
        .where(Attempt.started_at >= first - timedelta(days=1), Attempt.ended_at >= first, Attempt.outcome.in_(FAILED))
        .group_by(text("minute"))
    )
    async with database().reading() as session:
        good = {row[0]: row[1] for row in (await session.execute(succeeded)).all()}
        bad = {row[0]: row[1] for row in (await session.execute(failures)).all()}
    begins = [int(first.timestamp()) // 60 + each for each in range(minutes)]
    return [Minute(datetime.fromtimestamp(at * 60, UTC), good.get(at, 0), bad.get(at, 0)) for at in begins]


def _minute(column: ColumnElement[datetime] | object) -> ColumnElement[int]:
    """Minutes since 1970, by the name `minute`, in both databases."""
    if database().is_sqlite:
        return cast(func.strftime("%s", column) / text("60"), BigInteger).label("minute")
    return cast(func.floor(extract("epoch", column) / text("60")), BigInteger).label("minute")


async def running_now(limit: int = 20) -> list[RunView]:
    """Runs that a worker is at, the oldest first, without their attempts."""
    statement = select(Run).where(Run.state == State.RUNNING).order_by(Run.id).limit(limit)
    async with database().reading() as session:
        return [with_progress(RunView.of(row)) for row in (await session.scalars(statement)).all()]


def with_progress(run: RunView) -> RunView:
    """The same run as far as it is now, if it runs in this very process: the ledger keeps progress every few seconds."""
    runner = current_runner()
    here = runner.executor.running.get(run.id) if runner else None
    latest = here.context.latest if here else None
    return replace(run, progress=latest.to_json()) if latest else run


async def list_processes() -> list[ProcessView]:
    """Every process that was there within the last hour, workers first."""
    oldest = silent_before(get_settings().runner.runner_heartbeat_s)
    names = {each.name for each in fields(ProcessView)} - {"silent"}
    async with database().reading() as session:
        rows = (await session.scalars(select(Process).order_by(Process.kind.desc(), Process.name))).all()
    return [ProcessView(**{name: getattr(row, name) for name in names}, silent=row.seen_at < oldest) for row in rows]


def without_consumer(queues: list[QueueView], processes: list[ProcessView]) -> list[str]:
    """Queues in which runs wait, that are not paused, and whose tasks no process that lives can execute."""
    taken = {task for each in processes if each.capacity and not each.silent for task in each.tasks}
    consumed = {spec.queue for spec in registry.values() if spec.name in taken}
    return [each.name for each in queues if each.waiting and not each.paused and each.name not in consumed]
