"""New rows of the ledger, and what a unique key does about a run that is active already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, bindparam, insert, text
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import Json, Moment, now
from backend.db.models.runs import ACTIVE_SQL, Run, State
from backend.db.session import Unit


@dataclass(frozen=True)
class NewRun:
    """A run to be enqueued."""

    id: str
    task: str
    queue: str
    priority: int
    args: dict[str, Any]
    state: str = State.WAITING
    key: str | None = None
    slot: str | None = None
    due_at: datetime | None = None
    handover: int = 0
    worker: str | None = None
    requested_by: str | None = None
    cause: str | None = None
    trace: str | None = None
    error_type: str | None = None  # of a run that is dead from the start
    error: str | None = None
    error_group: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class ActiveRun:
    """The run that has a key at the moment."""

    id: str
    state: str
    handover: int


async def insert_runs(unit: Unit, runs: Sequence[NewRun]) -> set[str]:
    """Insert these. One whose slot is taken by an active run is left out. Returns the ids that are in."""
    moment = now()
    rows = [
        {**vars(run), "created_at": moment, "updated_at": moment, "handed_at": moment if run.handover else None}
        for run in runs
    ]
    if not any(run.slot for run in runs):
        await unit.connection.execute(_INSERT, rows)
        return {run.id for run in runs}
    statement = _insert_unless_taken(unit.connection.dialect.name)
    inserted = set()
    for row in rows:
        if (await unit.connection.execute(statement, row)).first():
            inserted.add(str(row["id"]))
    return inserted


_INSERT = insert(Run)


@cache
def _insert_unless_taken(dialect: str) -> Executable:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    taken = text(f"slot IS NOT NULL AND {ACTIVE_SQL}")
    return make(Run).on_conflict_do_nothing(index_elements=["task", "slot"], index_where=taken).returning(Run.id)


_QUEUE_UP = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


async def queue_up(unit: Unit, task: str, slot: str) -> None:
    """Let those who want this key decide one after the other. On SQLite every unit of work is alone anyway."""
    if unit.connection.dialect.name == "postgresql":
        await unit.connection.execute(_QUEUE_UP, {"key": f"{task} {slot}"})


_ACTIVE = text(f"SELECT id, state, handover FROM runs WHERE task = :task AND slot = :slot AND {ACTIVE_SQL}")


async def active_run(unit: Unit, task: str, slot: str) -> ActiveRun | None:
    """The active run that holds this key, if there is one."""
    row = (await unit.connection.execute(_ACTIVE, {"task": task, "slot": slot})).first()
    return ActiveRun(row.id, row.state, row.handover) if row else None


_PUSH_BACK = text("""
    UPDATE runs SET state = 'scheduled', args = :args, updated_at = :now, revision = revision + 1,
        due_at = CASE WHEN error_type = 'RateLimited' AND due_at > :due THEN due_at ELSE :due END
    WHERE id = :id AND state IN ('waiting', 'scheduled')""").bindparams(
    bindparam("due", type_=Moment()), bindparam("now", type_=Moment()), bindparam("args", type_=Json)
)


async def push_back(unit: Unit, run_id: str, args: dict[str, Any], due: datetime) -> bool:
    """Debounce: move a run that has not been handed over to a later time, with newer arguments. False if it was.

    Where a server asked to wait, its time stays if it is later.
    """
    result = await unit.connection.execute(_PUSH_BACK, {"id": run_id, "args": args, "due": due, "now": now()})
    return bool(result.rowcount)


async def release_slot(unit: Unit, run_id: str) -> None:
    """The run goes on, but does not keep others out any more."""
    await unit.connection.execute(text("UPDATE runs SET slot = NULL WHERE id = :id"), {"id": run_id})
