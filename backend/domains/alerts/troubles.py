"""What is a trouble: dead letters, a queue that stands still, workers that die again and again, schedules that fail."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, not_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models.runs import Attempt, Control, Outcome, Process, Run, Schedule, State
from backend.runtime.hiding import hidden
from backend.runtime.processes import silent_before
from backend.settings import Settings

ERROR_LIMIT = 300
# A lost attempt is looked for among those that began within this many windows.
ATTEMPT_WINDOWS = 6


@dataclass(frozen=True)
class Found:
    """A trouble as it is now. `subject` stays the same while it lasts."""

    subject: str
    text: str


async def find_troubles(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    """Everything that needs a person at this moment, by the bounds of the settings."""
    schedules = await _failed_schedules(session, settings, moment)
    of_schedules = {trouble.subject.partition(":")[2] for trouble in schedules}
    dead = [
        each for each in await _dead(session, settings, moment) if each.subject.partition(":")[2] not in of_schedules
    ]
    return [
        *dead,
        *schedules,
        *await _silent_queues(session, settings, moment),
        *await _dying_workers(session, settings, moment),
        *await _lost_attempts(session, settings, moment),
    ]


async def _dead(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    since = moment - timedelta(seconds=settings.alerts.alert_dead_s)
    statement = (
        select(Run.task, func.count(), func.min(Run.error_type), func.min(Run.error))
        .where(Run.state == State.DEAD, Run.finished_at > since)
        .group_by(Run.task)
    )
    return [
        Found(
            f"dead:{task}",
            f"{count} run{'s' if count > 1 else ''} of {task} died, for example of {kind}: {_short(error)}. "
            "Look at them with `backline dead groups`; requeue or purge them.",
        )
        for task, count, kind, error in (await session.execute(statement)).all()
    ]


async def _failed_schedules(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    late = moment - timedelta(seconds=settings.alerts.alert_silent_s)
    statement = (
        select(Schedule.task, Schedule.next_at, Run.state, Run.error_type, Run.error)
        .outerjoin(Run, Run.id == Schedule.last_run_id)
        .where(not_(Schedule.paused))
    )
    found = []
    for task, next_at, state, kind, error in (await session.execute(statement)).all():
        if state == State.DEAD:
            text = f"The last run of the schedule {task} died of {kind}: {_short(error)}."
        elif next_at is not None and next_at < late:
            text = f"The schedule {task} was due at {next_at:%Y-%m-%d %H:%M} UTC and has not fired. No process declares it?"
        else:
            continue
        found.append(Found(f"schedule:{task}", f"{text} `backline schedules list` shows all of them."))
    return found


async def _silent_queues(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    since = moment - timedelta(seconds=settings.alerts.alert_silent_s)
    paused = exists().where(
        Control.paused,
        ((Control.kind == "queue") & (Control.name == Run.queue))
        | ((Control.kind == "task") & (Control.name == Run.task)),
    )
    statement = (
        select(Run.queue, func.count())
        .where(Run.state == State.WAITING, Run.parked_on.is_(None), Run.updated_at < since, not_(paused))
        .group_by(Run.queue)
    )
    found = []
    for queue, count in (await session.execute(statement)).all():
        running = exists().where(Run.queue == queue, Run.state == State.RUNNING)
        begun = exists().where(and_(Attempt.run_id == Run.id, Attempt.started_at > since, Run.queue == queue))
        if not await session.scalar(select(running | begun)):
            text = f"{count} runs of the queue {queue} wait, and none has started for {_time(settings.alerts.alert_silent_s)}."
            found.append(Found(f"silent:{queue}", f"{text} `backline queues list` and `backline doctor` say more."))
    return found


async def _dying_workers(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    # One that stops in order takes its row out, so these were killed, or could not go on.
    window = timedelta(seconds=settings.alerts.alert_window_s)
    silent = silent_before(settings.runner.runner_heartbeat_s)
    statement = (
        select(Process.host, func.count())
        .where(Process.seen_at < silent, Process.seen_at > moment - window)
        .group_by(Process.host)
        .having(func.count() >= settings.alerts.alert_crashes)
    )
    return [
        Found(
            f"crash:{host}",
            f"{count} processes on {host} died within {_time(window.total_seconds())}. Look at the end of their logs.",
        )
        for host, count in (await session.execute(statement)).all()
    ]


async def _lost_attempts(session: AsyncSession, settings: Settings, moment: datetime) -> list[Found]:
    window = timedelta(seconds=settings.alerts.alert_window_s)
    statement = (
        select(Run.task, func.count())
        .join(Attempt, Attempt.run_id == Run.id)
        .where(
            Attempt.started_at > moment - ATTEMPT_WINDOWS * window,
            Attempt.outcome == Outcome.LOST,
            Attempt.ended_at > moment - window,
        )
        .group_by(Run.task)
        .having(func.count() >= settings.alerts.alert_crashes)
    )
    return [
        Found(
            f"lost:{task}",
            f"{count} attempts of {task} were lost with their workers within {_time(window.total_seconds())}: it may be "
            "what kills them. `backline runs list --task` shows its runs.",
        )
        for task, count in (await session.execute(statement)).all()
    ]


def _short(error: str | None) -> str:
    said = hidden((error or "").partition("\n")[0])
    return said if len(said) <= ERROR_LIMIT else f"{said[:ERROR_LIMIT]}…"


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
