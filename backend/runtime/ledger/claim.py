"""The feeder's statements: which runs are due, which may start, and taking them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import String, TextClause, bindparam, text

from backend.db.base import Json, Moment
from backend.db.session import Unit
from backend.runtime.fault import group_of
from backend.runtime.ledger.journal import Change
from backend.runtime.ticket import Ticket

# Feeders of all processes take turns, so that limits are counted and not guessed.
FEEDER_LOCK = 4_202_602
SILENT_HOLDER_MS = 5000


@dataclass(frozen=True)
class Candidate:
    """A waiting run that may be next."""

    id: str
    queue: str
    task: str


# `true`: for this transaction.
_LOCK = text(f"""
    SELECT set_config('idle_in_transaction_session_timeout', '{SILENT_HOLDER_MS}', true),
        pg_advisory_xact_lock({FEEDER_LOCK})""")


async def lock(unit: Unit) -> None:
    """Let one feeder at a time count and claim. On SQLite every unit of work is alone anyway.

    PostgreSQL ends the transaction of a holder that falls silent, because all others wait for it.
    """
    if unit.connection.dialect.name == "postgresql":
        await unit.connection.execute(_LOCK)


_PROMOTE = text("""
    UPDATE runs SET state = 'waiting', updated_at = :now, revision = revision + 1
    WHERE state = 'scheduled' AND due_at <= :now""").bindparams(bindparam("now", type_=Moment()))
_NEXT_DUE = text("SELECT min(due_at) AS due FROM runs WHERE state = 'scheduled'").columns(due=Moment())


async def promote_due(unit: Unit, now: datetime) -> datetime | None:
    """Scheduled runs whose time has come wait for a slot. Returns when the next one is due."""
    due = (await unit.connection.execute(_NEXT_DUE)).scalar()
    if due is None or due > now:
        return due
    await unit.connection.execute(_PROMOTE, {"now": now})
    return (await unit.connection.execute(_NEXT_DUE)).scalar()


_IN_HAND = text("""
    SELECT queue, task, state, worker, count(*) AS runs FROM runs WHERE state IN ('queued', 'running')
    GROUP BY queue, task, state, worker""")


@dataclass(frozen=True)
class InHand:
    """How many runs are handed over and not finished."""

    by_queue: Counter[str]
    by_task: Counter[str]
    queued: Counter[str]  # of a queue or a task, those that did not start
    mine: Counter[str]  # by queue, those that this holder has


async def count_in_hand(unit: Unit, holder: str | None) -> InHand:
    """Count what is handed over and not finished."""
    counts = InHand(Counter(), Counter(), Counter(), Counter())
    for row in (await unit.connection.execute(_IN_HAND)).fetchall():
        counts.by_queue[row.queue] += row.runs
        counts.by_task[row.task] += row.runs
        if row.state == "queued":
            counts.queued[row.queue] += row.runs
            counts.queued[row.task] += row.runs
        if row.worker == holder:
            counts.mine[row.queue] += row.runs
    return counts


@cache
def _starts(column: str) -> TextClause:
    return text(f"""
        SELECT count(*) FROM attempts JOIN runs ON runs.id = attempts.run_id
        WHERE attempts.started_at > :since AND runs.{column} = :name""").bindparams(bindparam("since", type_=Moment()))


async def count_starts(unit: Unit, column: str, name: str, since: datetime) -> int:
    """Attempts of a `queue` or a `task` that began after `since`."""
    return (await unit.connection.execute(_starts(column), {"since": since, "name": name})).scalar_one()


_PAUSED = text("SELECT kind, name FROM controls WHERE paused")


async def paused(unit: Unit) -> tuple[set[str], set[str]]:
    """The paused queues, and the paused tasks."""
    rows = (await unit.connection.execute(_PAUSED)).fetchall()
    return {r.name for r in rows if r.kind == "queue"}, {r.name for r in rows if r.kind == "task"}


_DECLARED = text("SELECT tasks FROM processes").columns(tasks=Json)


async def declared(unit: Unit) -> set[str]:
    """Tasks that some process declares, as it says itself. One that died is believed until its row is forgotten."""
    return set().union(*(await unit.connection.execute(_DECLARED)).scalars())


_UNKNOWN = text("""
    UPDATE runs SET state = 'dead', error_type = 'UnknownTask', error = :error, error_group = :group, finished_at = :now,
        updated_at = :now, revision = revision + 1
    WHERE task = :task AND state = 'waiting' RETURNING id, state, revision""").bindparams(
    bindparam("now", type_=Moment())
)


async def bury_unknown(unit: Unit, task: str, moment: datetime) -> list[Change]:
    """Waiting runs of a task that no process declares are dead: nothing could ever start them."""
    error = f"no process declares {task!r}: it was renamed or removed; declare it again and requeue, or purge"
    found = await unit.connection.execute(
        _UNKNOWN, {"task": task, "error": error, "group": group_of("UnknownTask", error), "now": moment}
    )
    return [Change(row.id, row.state, row.revision) for row in found]


@cache
def _candidates(queues: tuple[str, ...]) -> TextClause:
    one = """SELECT * FROM (SELECT id, queue, task FROM runs
        WHERE queue = '{queue}' AND state = 'waiting' AND parked_on IS NULL AND task NOT IN :blocked
        ORDER BY priority DESC, id LIMIT :most) AS {queue}"""
    return text(" UNION ALL ".join(one.format(queue=queue) for queue in queues)).bindparams(
        # Typed, because an empty list would be one of integers, which PostgreSQL does not compare with text.
        bindparam("blocked", expanding=True, type_=String())
    )


async def candidates(unit: Unit, queues: Sequence[str], blocked: Collection[str], most: int) -> list[Candidate]:
    """The next runs of each queue, highest priority first, then oldest; at most `most` of each."""
    if not queues or most < 1:
        return []
    found = await unit.connection.execute(_candidates(tuple(queues)), {"blocked": sorted(blocked), "most": most})
    return [Candidate(row.id, row.queue, row.task) for row in found]


_CLAIM = (
    text("""
    UPDATE runs SET state = 'queued', handover = handover + 1, handed_at = :now, updated_at = :now, worker = :worker,
        revision = revision + 1
    WHERE id IN :ids AND state = 'waiting'
    RETURNING id, task, args, handover, starts, attempt, crashes, trace""")
    .bindparams(bindparam("ids", expanding=True), bindparam("now", type_=Moment()))
    .columns(args=Json)
)


async def claim(unit: Unit, ids: Sequence[str], worker: str | None, now: datetime) -> list[Ticket]:
    """Take these runs: they are queued from now on. Returns their tickets in the order of `ids`."""
    if not ids:
        return []
    rows = (await unit.connection.execute(_CLAIM, {"ids": list(ids), "worker": worker, "now": now})).fetchall()
    tickets = {
        row.id: Ticket(row.id, row.task, row.args, row.handover, row.starts, row.attempt, row.crashes, row.trace)
        for row in rows
    }
    return [tickets[run_id] for run_id in ids if run_id in tickets]


_RETURN = text("""
    UPDATE runs SET state = 'waiting', updated_at = :now, revision = revision + 1
    WHERE id = :id AND handover = :handover AND state = 'queued'""").bindparams(bindparam("now", type_=Moment()))


async def give_back(unit: Unit, tickets: Sequence[Ticket], now: datetime) -> None:
    """These could not be handed over: they wait again."""
    for ticket in tickets:
        await unit.connection.execute(_RETURN, {"id": ticket.run_id, "handover": ticket.handover, "now": now})
