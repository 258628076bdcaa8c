"""Repair: what the ledger believes is compared with what the engine and the processes know."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.db.base import Moment
from backend.db.session import Unit
from backend.runtime.ledger.journal import Change
from backend.runtime.ticket import Ticket

LOST = "the worker died while the run was in it"
MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class Held:
    """A run that was handed over a while ago."""

    id: str
    state: str
    worker: str | None
    handover: int
    starts: int

    @property
    def ticket_key(self) -> str:
        """The name under which the engine knows it."""
        return f"{self.id}:{self.handover}"


_HELD = text("""
    SELECT id, state, worker, handover, starts FROM runs
    WHERE state IN ('queued', 'running') AND COALESCE(started_at, handed_at) < :before
    ORDER BY id LIMIT :most""").bindparams(bindparam("before", type_=Moment()))


async def held_since(connection: AsyncConnection, before: datetime) -> list[Held]:
    """Runs that were handed over before this moment and are not finished."""
    rows = await connection.execute(_HELD, {"before": before, "most": MOST_AT_ONCE})
    return [Held(row.id, row.state, row.worker, row.handover, row.starts) for row in rows]


_UNQUEUE = text("""
    UPDATE runs SET state = 'waiting', updated_at = :now, revision = revision + 1
    WHERE id = :id AND state = 'queued' AND handover = :handover RETURNING id, state, revision""").bindparams(
    bindparam("now", type_=Moment())
)


async def wait_again(unit: Unit, runs: Collection[Held], moment: datetime) -> list[Change]:
    """Queued runs that the engine lost: the feeder hands them over anew."""
    changes = []
    for run in runs:
        row = (await unit.connection.execute(_UNQUEUE, {"id": run.id, "handover": run.handover, "now": moment})).first()
        changes += [Change(row.id, row.state, row.revision)] if row else []
    return changes


_LOSE = text("""
    UPDATE runs SET crashes = crashes + 1, attempt = attempt - 1, updated_at = :now, revision = revision + 1,
        state = CASE WHEN cancel_requested THEN 'cancelled' WHEN crashes + 1 >= :limit THEN 'dead' ELSE :next END,
        finished_at = CASE WHEN cancel_requested OR crashes + 1 >= :limit OR :next = 'interrupted' THEN :now END,
        error_type = CASE WHEN crashes + 1 >= :limit THEN 'WorkerLost' ELSE error_type END,
        error_group = CASE WHEN crashes + 1 >= :limit THEN 'worker-lost' ELSE error_group END,
        error = CASE WHEN crashes + 1 >= :limit THEN :error ELSE error END
    WHERE id = :id AND state = 'running' AND starts = :starts
    RETURNING id, state, revision, crashes""").bindparams(
    bindparam("now", type_=Moment()), bindparam("next"), bindparam("limit"), bindparam("error")
)
_END_ATTEMPT = text("""
    UPDATE attempts SET ended_at = :now, outcome = 'lost', error_type = 'WorkerLost', error = :error
    WHERE run_id = :id AND number = :starts AND ended_at IS NULL""").bindparams(bindparam("now", type_=Moment()))


async def lose(unit: Unit, runs: Sequence[Held], moment: datetime, limit: int, then: str) -> list[Change]:
    """Running runs whose worker died. Each gets state `then`, or is dead when that happened `limit` times."""
    changes = []
    for run in runs:
        error = f"{LOST}, {limit} times: it is not started again"
        values = {"id": run.id, "starts": run.starts, "now": moment, "limit": limit, "next": then, "error": error}
        row = (await unit.connection.execute(_LOSE, values)).first()
        if row:
            changes.append(Change(row.id, row.state, row.revision))
            await unit.connection.execute(
                _END_ATTEMPT, {"id": run.id, "starts": run.starts, "now": moment, "error": LOST}
            )
    return changes


_POSTPONE = text("""
    UPDATE runs SET state = 'scheduled', due_at = :due, updated_at = :now, revision = revision + 1
    WHERE id = :id AND state = 'queued' AND handover = :handover RETURNING id, state, revision""").bindparams(
    bindparam("now", type_=Moment()), bindparam("due", type_=Moment())
)


async def postpone(unit: Unit, ticket: Ticket, moment: datetime, after: timedelta) -> list[Change]:
    """A run that was handed over and may not start yet is scheduled again. That is no attempt."""
    values = {"id": ticket.run_id, "handover": ticket.handover, "now": moment, "due": moment + after}
    return [Change(row.id, row.state, row.revision) for row in await unit.connection.execute(_POSTPONE, values)]


_READ = text("""
    SELECT state, handover, starts, attempt, crashes, worker, processes.seen_at
    FROM runs LEFT JOIN processes ON processes.name = runs.worker WHERE runs.id = :id""").columns(seen_at=Moment())
_COUNT_START = text("""
    UPDATE runs SET state = 'running', starts = starts + 1, attempt = attempt + 1, started_at = :now, updated_at = :now
    WHERE id = :id AND state = 'queued'""").bindparams(bindparam("now", type_=Moment()))
_LOST_ATTEMPT = text("""
    INSERT INTO attempts (run_id, number, worker, started_at) VALUES (:id, :number, 'unknown', :now)
    ON CONFLICT (run_id, number) DO NOTHING""").bindparams(bindparam("now", type_=Moment()))


async def revive(
    unit: Unit, ticket: Ticket, moment: datetime, limit: int, silent_before: datetime
) -> tuple[Ticket | None, list[Change]]:
    """A hand-over came a second time: its worker died under it, or lost its lease. Returns the ticket to go on with.

    None when the hand-over is outdated, cancelled, or dead of too many crashes, and when its worker was seen since
    `silent_before`: that one is at it, and only the lease was lost, with Redis. (If it dies now, the mender finds the
    run.) A worker that was silent and lives nevertheless can not report any more.
    """
    row = (await unit.connection.execute(_READ, {"id": ticket.run_id})).first()
    if row is None or row.handover != ticket.handover or row.state not in ("queued", "running"):
        return None, []
    if row.state == "running" and row.seen_at is not None and row.seen_at >= silent_before:
        return None, []
    starts = row.starts
    if row.state == "queued" and 0 < row.crashes >= limit - 1:
        # On its last chance the start is written first, so this one did not begin.
        return replace(ticket, starts=row.starts, attempt=row.attempt, crashes=row.crashes), []
    if row.state == "queued":
        # Its worker died before it could even say that it began. That counts too: see the poison pill.
        starts += 1
        await unit.connection.execute(_COUNT_START, {"id": ticket.run_id, "now": moment})
        await unit.connection.execute(_LOST_ATTEMPT, {"id": ticket.run_id, "number": starts, "now": moment})
    held = Held(ticket.run_id, "running", row.worker, row.handover, starts)
    changes = await lose(unit, [held], moment, limit, "queued")
    if not changes or changes[0].state != "queued":
        return None, changes
    attempt = max(row.attempt - (row.state == "running"), 0)
    again = Ticket(
        ticket.run_id, ticket.task, ticket.args, row.handover, starts, attempt, row.crashes + 1, ticket.trace
    )
    return again, changes
