"""The group commit: what workers report is collected and written together, a few statements for all of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import TextClause

from backend.db.batch import Batch
from backend.db.models.runs import Outcome, State
from backend.db.session import Unit
from backend.runtime.ledger import statements
from backend.runtime.ledger.entries import Ended, Entry, Progressed, Started

Make = Callable[[str], tuple[Batch, TextClause]]
AttemptKey = tuple[str, int, int]  # run, hand-over, count of starts


@dataclass(frozen=True)
class Change:
    """A state a run has reached, as the ledger recorded it."""

    run_id: str
    state: str
    revision: int


class Journal:
    """Collects entries until somebody writes them in a unit of work.

    `on_urgent` is called when an entry should not wait: an end, or a start that is a while old.
    """

    START_DELAY_S = 0.05

    def __init__(self, on_urgent: Callable[[], None], on_fenced: Callable[[Started], None]) -> None:
        self._entries: list[Entry] = []
        self._waiters: list[asyncio.Future[Mapping[AttemptKey, str]]] = []
        self._on_urgent = on_urgent
        self._on_fenced = on_fenced

    def note(self, entry: Started | Progressed) -> None:
        """Write this soon. A start waits a moment, because a short run's end can be written with it."""
        if not self._entries:
            asyncio.get_running_loop().call_later(self.START_DELAY_S, self._on_urgent)
        self._entries.append(entry)

    async def record(self, entry: Ended) -> str | None:
        """Write this now, and return once it is committed: the state the run has got, or None when it was outdated."""
        self._entries.append(entry)
        return (await self.written()).get(_attempt_of(entry))

    async def written(self) -> Mapping[AttemptKey, str]:
        """Return once everything noted so far is committed: the states that attempts have brought their runs to."""
        written: asyncio.Future[Mapping[AttemptKey, str]] = asyncio.get_running_loop().create_future()
        self._waiters.append(written)
        self._on_urgent()
        return await written

    @property
    def empty(self) -> bool:
        """Whether everything is written."""
        return not self._entries

    def take(self) -> "Page":
        """Everything collected so far. Give it back with `put_back` if writing it fails."""
        page = Page(self._entries, self._waiters)
        self._entries, self._waiters = [], []
        return page

    def put_back(self, page: "Page") -> None:
        """The page could not be written: it is first in the next one."""
        self._entries[:0] = page.entries
        self._waiters[:0] = page.waiters

    def settle(self, page: "Page") -> None:
        """The page is committed: wake who waits, and tell about starts that were outdated."""
        for waiter in page.waiters:
            if not waiter.done():
                waiter.set_result(page.reached)
        for entry in page.entries:
            if isinstance(entry, Started) and _attempt_of(entry) not in page.begun:
                self._on_fenced(entry)


@dataclass(frozen=True)
class Page:
    """Entries that are written together, in order, and who waits for that.

    `begun` are the starts that were accepted, `reached` the states that accepted ends have brought their runs to.
    """

    entries: list[Entry]
    waiters: list[asyncio.Future[Mapping[AttemptKey, str]]]
    begun: set[AttemptKey] = field(default_factory=set)
    reached: dict[AttemptKey, str] = field(default_factory=dict)

    async def write(self, unit: Unit) -> list[Change]:
        """Write all entries. Outdated ones change nothing and are missing from the answer."""
        starts = {_attempt_of(entry): entry for entry in self.entries if isinstance(entry, Started)}
        ends = {_attempt_of(entry): entry for entry in self.entries if isinstance(entry, Ended)}
        reports = {(entry.run_id, entry.number): entry for entry in self.entries if isinstance(entry, Progressed)}
        short = [key for key in starts if key in ends]
        passed = await _write_short(unit, [(starts.pop(key), ends.pop(key)) for key in short])
        began = await _write_starts(unit, starts)
        if reports:
            await _run(unit, statements.progressed, [vars(entry) for entry in reports.values()])
        ended = await _write_ends(unit, list(ends.values()))
        self.begun.update(_key_of(row) for row in (*passed, *began))
        self.reached.update((_key_of(row), row.state) for row in (*passed, *ended))
        # Who watches is told of both changes of a short run.
        changes = [Change(row.id, State.RUNNING, row.revision - 1) for row in passed]
        return changes + [Change(row.id, row.state, row.revision) for row in (*passed, *began, *ended)]


def _attempt_of(entry: Started | Ended) -> AttemptKey:
    return entry.run_id, entry.handover, entry.number


def _key_of(row: Any) -> AttemptKey:
    return row.id, row.handover, row.starts


async def _write_short(unit: Unit, pairs: Sequence[tuple[Started, Ended]]) -> Sequence[Any]:
    # Most runs are short: their start and their end are one change of the row.
    if not pairs:
        return []
    rows = [{**vars(end), "worker": start.worker, "started_at": start.at} for start, end in pairs]
    passed = await _run(unit, statements.passed, rows)
    await _write_outcomes(unit, statements.attempts_passed, rows, passed)
    return passed


async def _write_starts(unit: Unit, starts: Mapping[AttemptKey, Started]) -> Sequence[Any]:
    if not starts:
        return []
    began = await _run(unit, statements.started, [vars(entry) for entry in starts.values()])
    accepted = [starts[_key_of(row)] for row in began]
    if accepted:
        await _run(unit, statements.attempts_begun, [{**vars(entry), "started_at": entry.at} for entry in accepted])
    return began


async def _write_ends(unit: Unit, ends: Sequence[Ended]) -> Sequence[Any]:
    if not ends:
        return []
    rows = [vars(entry) for entry in ends]
    ended = await _run(unit, statements.ended, rows)
    await _write_outcomes(unit, statements.attempts_ended, rows, ended)
    return ended


async def _write_outcomes(unit: Unit, make: Make, rows: Sequence[dict[str, Any]], ended: Sequence[Any]) -> None:
    entries = {(row["run_id"], row["handover"], row["number"]): row for row in rows}
    attempts = [_outcome(entries[_key_of(row)], row.state) for row in ended]
    if attempts:
        await _run(unit, make, attempts)


def _outcome(row: dict[str, Any], state: str) -> dict[str, Any]:
    # An attempt that was stopped from outside was cancelled if that is what became of the run.
    stopped = row["outcome"] == Outcome.INTERRUPTED and state == State.CANCELLED
    return {**row, "outcome": Outcome.CANCELLED} if stopped else row


async def _run(unit: Unit, make: Make, rows: Sequence[dict[str, Any]]) -> Sequence[Any]:
    dialect = unit.connection.dialect.name
    batch, statement = make(dialect)
    result = await unit.connection.execute(statement, {"rows": batch.encode(rows)})
    return result.fetchall() if result.returns_rows else ()
