"""Schedules as operators handle them: list, pause, resume, run now, change the interval. Changes survive a deploy."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Run, Schedule
from backend.db.session import database, unit_of_work
from backend.errors import NotFound
from backend.runtime.audit import note
from backend.runtime.cron import parse_timing
from backend.runtime.dispatch import dispatcher
from backend.runtime.enqueue import Options, Receipt, enqueue_in
from backend.runtime.registry import Overlap, Unique, registry, spec_of
from backend.runtime.ticker import SCHEDULE_KEY


@dataclass(frozen=True)
class ScheduleView:
    """A schedule. `declared` is the code's timing, `override` the operator's, which holds while it is there."""

    task: str
    declared: str
    override: str | None
    paused: bool
    next_at: datetime | None
    last_at: datetime | None
    last_run_id: str | None
    last_state: str | None
    overlap: str | None
    catchup: str | None
    known: bool  # whether the code here still declares it


async def list_schedules() -> list[ScheduleView]:
    """Every schedule, by name, with what came of its last run."""
    statement = select(Schedule, Run.state).outerjoin(Run, Run.id == Schedule.last_run_id).order_by(Schedule.task)
    async with database().reading() as session:
        return [_view(row, state) for row, state in (await session.execute(statement)).all()]


async def get_schedule(task: str) -> ScheduleView:
    """One schedule. Raises NotFound."""
    found = next((view for view in await list_schedules() if view.task == task), None)
    if found is None:
        raise NotFound(f"no schedule for {task!r}", field="task")
    return found


async def pause(task: str) -> None:
    """Fire no more. Raises NotFound."""
    await _change(task, "pause", paused=True)


async def resume(task: str) -> None:
    """Fire again, from the next time of its timing on: what passed meanwhile is not made up for. Raises NotFound."""
    view, moment = await get_schedule(task), now()
    due = view.next_at or moment
    if due <= moment:
        due = parse_timing(view.override or view.declared).next(due, moment)
    await _change(task, "resume", paused=False, next_at=due)


async def set_interval(task: str, timing: str | None) -> None:
    """Override the declared timing with `every 300` or a cron expression; None goes back to the declared one.

    Raises NotFound, InvalidSchedule.
    """
    view = await get_schedule(task)
    chosen = parse_timing(timing if timing is not None else view.declared)
    override = chosen.text if timing is not None else None
    await _change(task, "interval", override=override, next_at=chosen.next(view.last_at or now(), now()))


async def run_now(task: str, args: dict[str, Any] | None = None) -> Receipt:
    """Run it once, now, with these arguments for this time. Its next time stays.

    Where runs of the schedule may not overlap, one that is active is given back. Raises NotFound, InvalidArguments.
    """
    await get_schedule(task)
    spec = spec_of(task)
    alone = spec.schedule is None or spec.schedule.overlap is Overlap.SKIP
    options = Options(key=SCHEDULE_KEY if alone else f"run now {new_id()}")
    async with unit_of_work() as unit:
        once = replace(spec, unique=Unique.RETURN)
        receipt = await enqueue_in(unit, once, spec.arguments.normalise(args or {}), options)
        if receipt.created:
            changed = update(Schedule).where(Schedule.task == task).values(last_run_id=receipt.id, last_at=now())
            await unit.connection.execute(changed)
        await note(unit, "schedule.run", task, run=receipt.id, args=sorted(args or {}) or None)
    return receipt


async def _change(task: str, what: str, **values: Any) -> None:
    async with unit_of_work() as unit:
        changed = update(Schedule).where(Schedule.task == task).values(updated_at=now(), **values)
        if not (await unit.connection.execute(changed)).rowcount:
            raise NotFound(f"no schedule for {task!r}", field="task")
        timing = values.get("override") or "as declared"
        await note(unit, f"schedule.{what}", task, timing=timing if what == "interval" else None)
    if (here := dispatcher()) is not None:
        here.wake()


def _view(row: Schedule, last_state: str | None) -> ScheduleView:
    spec = registry.get(row.task)
    declared = spec.schedule if spec else None
    return ScheduleView(
        row.task,
        row.declared,
        row.override,
        row.paused,
        row.next_at,
        row.last_at,
        row.last_run_id,
        last_state,
        declared.overlap if declared else None,
        declared.catchup if declared else None,
        declared is not None,
    )
