"""The feeder's statements: which runs are due, which may start, and taking them."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, String, TextClause, bindparam, text

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


@dataclass(frozen=True)
class InHand:
    """How many runs are handed over and not finished."""

    by_queue: Counter[str] = field(default_factory=Counter)
    by_task: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)  # of a queue or a task, those that did not start
    mine: Counter[str] = field(default_factory=Counter)  # by queue, those that this holder has

    def add(self, row: Row[Any], holder: str | None) -> None:
        """Count runs of one queue, task, state and worker."""
        self.by_queue[row.queue] += row.runs
        self.by_task[row.task] += row.runs
        if row.state == "queued":
            self.queued[row.queue] += row.runs
            self.queued[row.task] += row.runs
        if row.worker == holder:
            self.mine[row.queue] += row.runs


@dataclass
class Standing:
    """How things stand before a choice."""

    next_run: datetime | None = None  # when the first scheduled run is due
    next_fire: datetime | None = None  # when the first schedule is
    paused_queues: set[str] = field(default_factory=set)
    paused_tasks: set[str] = field(default_factory=set)
    in_hand: InHand = field(default_factory=InHand)


_STANDING = text("""
    SELECT 'run' AS what, min(due_at) AS due, '' AS queue, '' AS task, '' AS state, '' AS worker, 0 AS runs FROM runs
        WHERE state = 'scheduled'
    UNION ALL SELECT 'fire', min(next_at), '', '', '', '', 0 FROM schedules WHERE NOT paused
    UNION ALL SELECT 'paused ' || kind, NULL, name, name, '', '', 0 FROM controls WHERE paused
    UNION ALL SELECT 'in hand', NULL, queue, task, state, worker, count(*) FROM runs
        WHERE state IN ('queued', 'running') GROUP BY queue, task, state, worker""").columns(due=Moment())


async def standing(unit: Unit, holder: str | None) -> Standing:
    """All that a choice needs to know, in one question: it is asked at every turn."""
    found = Standing()
    for row in (await unit.connection.execute(_STANDING)).fetchall():
        match row.what:
            case "run":
                found.next_run = row.due
            case "fire":
                found.next_fire = row.due
            case "paused queue":
                found.paused_queues.add(row.queue)
            case "paused task":
                found.paused_tasks.add(row.task)
            case "in hand":
                found.in_hand.add(row, holder)
    return found


@cache
def _starts(column: str) -> TextClause:
    return text(f"""
        SELECT count(*) FROM attempts JOIN runs ON runs.id = attempts.run_id
        WHERE attempts.started_at > :since AND runs.{column} = :name""").bindparams(bindparam("since", type_=Moment()))


async def count_starts(unit: Unit, column: str, name: str, since: datetime) -> int:
    """Attempts of a `queue` or a `task` that began after `since`."""
    return (await unit.connection.execute(_starts(column), {"since": since, "name": name})).scalar_one()


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
        row.id: Ticket(
            row.id, row.task, row.args, row.handover, row.starts, row.attempt, row.crashes, row.trace, now.timestamp()
        )
        for row in rows
    }
    return [tickets[run_id] for run_id in ids if run_id in tickets]


_RETURN = text("""
    UPDATE runs SET state = 'waiting', updated_at = :now, revision = revision + 1
    WHERE id = :id AND handover = :handover AND state = 'queued'""").bindparams(bindparam("now", type_=Moment()))


async def give_back(unit: Unit, ticket_keys: Iterable[str], now: datetime) -> None:
    """These could not be handed over, or were not begun: they wait again. Keys that are no ticket's are passed over."""
    for key in ticket_keys:
        run_id, _, handover = key.rpartition(":")
        if handover.isdigit():
            await unit.connection.execute(_RETURN, {"id": run_id, "handover": int(handover), "now": now})
