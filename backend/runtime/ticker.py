"""Schedules: noting what the code declares, and firing what is due, exactly once per due time."""

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, text

from backend.db.base import Moment, now
from backend.db.session import Database, Unit
from backend.runtime.cron import parse_timing
from backend.runtime.enqueue import Options, enqueue_in
from backend.runtime.registry import CatchUp, Overlap, TaskSpec, Unique, registry

logger = logging.getLogger(__name__)

# A schedule fires late by up to this much without counting as missed.
GRACE_S = 30.0
# Runs of a schedule that may not overlap have the same key.
SCHEDULE_KEY = "schedule"

_NOTE = text("""
    INSERT INTO schedules (task, declared, paused, next_at, updated_at) VALUES (:task, :declared, false, :next_at, :now)
    ON CONFLICT (task) DO UPDATE SET declared = excluded.declared, updated_at = excluded.updated_at,
        next_at = CASE WHEN schedules.override IS NULL THEN excluded.next_at ELSE schedules.next_at END
    WHERE schedules.declared <> excluded.declared""").bindparams(
    bindparam("next_at", type_=Moment()), bindparam("now", type_=Moment())
)


async def note_declared(database: Database) -> None:
    """Write down the schedules of the code. One that is known keeps its next time, and what operators changed."""
    moment = now()
    async with database.unit() as unit:
        for spec in registry.values():
            if spec.schedule:
                timing = spec.schedule.timing
                row = {"task": spec.name, "declared": timing.text, "next_at": timing.first(moment), "now": moment}
                await unit.connection.execute(_NOTE, row)


_FIRST = text("SELECT min(next_at) AS next_at FROM schedules WHERE NOT paused").columns(next_at=Moment())
# Not the same: what only other processes declare stays due until they fire it.
_NEXT = (
    text("SELECT min(next_at) AS next_at FROM schedules WHERE NOT paused AND next_at > :now")
    .bindparams(bindparam("now", type_=Moment()))
    .columns(next_at=Moment())
)
_DUE = (
    text("SELECT task, declared, override, next_at FROM schedules WHERE NOT paused AND next_at <= :now")
    .bindparams(bindparam("now", type_=Moment()))
    .columns(next_at=Moment())
)
_FIRED = text("""
    UPDATE schedules SET next_at = :next_at, last_at = COALESCE(:last_at, last_at),
        last_run_id = COALESCE(:run_id, last_run_id), updated_at = :now
    WHERE task = :task AND next_at = :was""").bindparams(
    *(bindparam(name, type_=Moment()) for name in ("next_at", "last_at", "now", "was"))
)


async def fire_due(unit: Unit, moment: datetime) -> datetime | None:
    """Enqueue a run of each schedule that is due. Returns when the next one is.

    The run and the schedule's next time are one transaction under the feeder's lock, so a due time fires once, with
    any number of processes. A schedule that this process's code does not declare is left to one that does.
    """
    first = (await unit.connection.execute(_FIRST)).scalar()
    if first is None or first > moment:
        return first
    for row in (await unit.connection.execute(_DUE, {"now": moment})).fetchall():
        spec = registry.get(row.task)
        if spec is not None and spec.schedule is not None:
            await _fire(unit, spec, row.override or row.declared, row.next_at, moment)
    return (await unit.connection.execute(_NEXT, {"now": moment})).scalar()


async def _fire(unit: Unit, spec: TaskSpec, timing: str, due: datetime, moment: datetime) -> None:
    assert spec.schedule is not None
    run_id = None
    missed = (moment - due).total_seconds() > GRACE_S
    if not missed or spec.schedule.catchup is CatchUp.ONE:
        key = SCHEDULE_KEY if spec.schedule.overlap is Overlap.SKIP else f"schedule {due.isoformat()}"
        options = Options(key=key, requested_by="schedule")
        receipt = await enqueue_in(unit, replace(spec, unique=Unique.RETURN), spec.arguments.normalise({}), options)
        run_id = receipt.id if receipt.created else None
        if not receipt.created:
            logger.warning("schedule %s skipped %s: its run %s is still active", spec.name, due.isoformat(), receipt.id)
    await unit.connection.execute(
        _FIRED,
        {
            "task": spec.name,
            "was": due,
            "next_at": parse_timing(timing).next(due, moment),
            "last_at": moment if run_id else None,
            "run_id": run_id,
            "now": moment,
        },
    )
