"""Runs: find them, read one, cancel it, requeue it. Needs an open database; a runner makes it act at once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from backend.db.base import now
from backend.db.models.runs import ACTIVE, TERMINAL, Attempt, Run, State
from backend.db.session import Unit, database, unit_of_work
from backend.errors import Conflict, UnknownRun
from backend.runtime.audit import note
from backend.runtime.cancel import cancel_in
from backend.runtime.dispatch import dispatcher
from backend.runtime.ledger.insert import active_run
from backend.runtime.ledger.journal import Change
from backend.runtime.registry import registry, spec_of
from backend.runtime.views import RunView


@dataclass(frozen=True)
class RunFilter:
    """Which runs. Everything given must hold. `text` is looked for in errors, task, key and id, whatever its case.

    `args` are arguments by name, or by path with dots, and what they are as text. `trace` is a trace id, `request` the id
    of the request that asked for them. `after` is an id: only newer runs.
    """

    state: Sequence[str] | None = None
    task: str | None = None
    queue: str | None = None
    key: str | None = None
    text: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    error_group: str | None = None
    ids: Sequence[str] | None = None
    args: Mapping[str, str] | None = None
    trace: str | None = None
    request: str | None = None
    after: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        found: list[ColumnElement[bool]] = []
        for column in ("task", "queue", "key", "error_group"):
            if (value := getattr(self, column)) is not None:
                found.append(getattr(Run, column) == value)
        if self.state:
            found.append(Run.state.in_(self.state))
        if self.ids is not None:
            found.append(Run.id.in_(self.ids))
        if self.created_after:
            found.append(Run.created_at >= self.created_after)
        if self.created_before:
            found.append(Run.created_at < self.created_before)
        if self.after is not None:
            found.append(Run.id > self.after)
        if self.trace:
            found.append(Run.trace.startswith(f"00-{self.trace}", autoescape=True))
        if self.request:
            found.append(Run.requested_by.endswith(f" {self.request}", autoescape=True))
        for path, value in (self.args or {}).items():
            # SQLite has numbers for true and false.
            alike = {value, {"true": "1", "false": "0"}.get(value, value)}
            found.append(cast(Run.args[tuple(path.split("."))].as_string(), Text).in_(sorted(alike)))
        if self.text:
            columns = (Run.error, Run.error_type, Run.task, Run.key, Run.id)
            found.append(or_(*(column.icontains(self.text, autoescape=True) for column in columns)))
        return found

    def described(self) -> dict[str, Any]:
        """What is asked for, in short: of ids how many, of arguments only the names."""
        given = {name: value for name, value in asdict(self).items() if value is not None and name != "after"}
        return given | {
            name: short(given[name])
            for name, short in (("ids", len), ("args", sorted), ("state", list))
            if name in given
        }


async def list_runs(
    where: RunFilter | None = None, limit: int = 25, before: str | None = None, skip: int = 0
) -> list[RunView]:
    """Runs, newest first. `before` is the id of the last run of the page before; `skip` passes over that many."""
    statement = select(Run).where(*(where or RunFilter()).conditions()).order_by(Run.id.desc())
    statement = statement.limit(limit).offset(skip)
    if before is not None:
        statement = statement.where(Run.id < before)
    async with database().reading() as session:
        return [RunView.of(row) for row in (await session.scalars(statement)).all()]


async def count_runs(where: RunFilter | None = None) -> dict[str, int]:
    """How many runs are in each state. Every state is named."""
    statement = select(Run.state, func.count()).where(*(where or RunFilter()).conditions()).group_by(Run.state)
    async with database().reading() as session:
        counts = {row[0]: row[1] for row in (await session.execute(statement)).all()}
    return {str(state): counts.get(state, 0) for state in State}


async def get_run(run_id: str) -> RunView:
    """One run with its attempts. Raises UnknownRun."""
    async with database().reading() as session:
        row = await session.get(Run, run_id, populate_existing=True)
        if row is None:
            raise UnknownRun(f"no run has the id {run_id!r}", field="run_id")
        attempts = select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.number)
        return RunView.of(row, (await session.scalars(attempts)).all())


async def cancel_run(run_id: str) -> RunView:
    """Cancel a run in any active state. Raises UnknownRun, and Conflict when it has ended."""
    async with unit_of_work() as unit:
        if not await cancel_in(unit, run_id):
            run = await get_run(run_id)
            raise Conflict(f"the run is {run.state} already, so it cannot be cancelled", field="state")
        await note(unit, "run.cancel", run_id)
    return await get_run(run_id)


async def requeue_run(run_id: str, args: dict[str, Any] | None = None) -> RunView:
    """Start an ended run again, as it was or with other arguments. Its attempts stay; it gets all its attempts anew.

    Raises UnknownRun, Conflict when it is active or another run has its key, UnknownTask, InvalidArguments.
    """
    run = await get_run(run_id)
    if run.state not in TERMINAL:
        raise Conflict(f"the run is {run.state}, so there is nothing to requeue", field="state")
    spec = spec_of(run.task)
    edited = spec.arguments.normalise(run.args if args is None else args)
    async with unit_of_work() as unit:
        if await requeue_in(unit, run, edited) is None:
            holder = await active_run(unit, run.task, _key_for(run, edited) or "")
            if holder is None or holder.id == run_id:
                raise Conflict("the run was requeued in this very moment", field="state")
            raise Conflict(f"run {holder.id} with the same key is active", field="key")
        changed = sorted(name for name in {*edited, *run.args} if edited.get(name) != run.args.get(name))
        await note(unit, "run.requeue", run_id, task=run.task, edited=changed or None)
    return await get_run(run_id)


async def requeue_in(unit: Unit, run: RunView, args: dict[str, Any]) -> Change | None:
    """Requeue within this unit. None when it is not ended any more, or when an active run has its key."""
    key = _key_for(run, args)
    if key is not None and await active_run(unit, run.task, key):
        return None
    fresh = {
        "attempt": 0,
        "crashes": 0,
        "cancel_requested": False,
        "finished_at": None,
        "due_at": None,
        "parked_on": None,
    }
    statement = (
        update(Run)
        .where(Run.id == run.id, Run.state.in_(TERMINAL))
        .values(state=State.WAITING, args=args, key=key, slot=key, revision=Run.revision + 1, updated_at=now(), **fresh)
        .values(error=None, error_type=None, error_group=None, result=None, progress=None)
        .returning(Run.revision)
    )
    try:
        async with unit.connection.begin_nested():
            revision = (await unit.connection.execute(statement)).scalar()
    except IntegrityError:
        return None  # another run took the key in this very moment
    if revision is None:
        return None
    if args != run.args:
        # The attempts so far ran with other arguments: keep those with the last of them.
        last = select(func.max(Attempt.number)).where(Attempt.run_id == run.id).scalar_subquery()
        edited = update(Attempt).where(Attempt.run_id == run.id, Attempt.number == last).values(args=run.args)
        await unit.connection.execute(edited)
    change = Change(run.id, State.WAITING, revision)

    async def tell() -> None:
        if (here := dispatcher()) is not None:
            here.tell([change])
            here.wake()

    unit.after_commit(tell)
    return change


def _key_for(run: RunView, args: dict[str, Any]) -> str | None:
    """The key with these arguments: one that came from the old arguments follows the new ones."""
    spec = registry.get(run.task)
    if spec is None or spec.key is None or args == run.args:
        return run.key
    try:
        derived = run.key == spec.key_for(run.args)
    except LookupError:
        derived = True  # the task's parameters have changed since
    return spec.key_for(args) if derived else run.key


async def release_parked(subject: str) -> int:
    """What a run was parked on is there again, such as a sign-in: its runs go on. Returns how many."""
    statement = (
        update(Run)
        .where(Run.parked_on == subject, Run.state.in_(ACTIVE))
        .values(parked_on=None, revision=Run.revision + 1, updated_at=now())
    )
    async with unit_of_work() as unit:
        result = await unit.connection.execute(statement)
        if (here := dispatcher()) is not None:
            unit.after_commit(_waking(here.wake))
    return result.rowcount


def _waking(wake: Any) -> Any:
    async def call() -> None:
        wake()

    return call
