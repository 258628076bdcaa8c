"""Many runs at once: cancel, requeue or purge all that match, a batch a transaction."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, func, select

from backend.db.models.runs import ACTIVE, TERMINAL, Run, State
from backend.db.session import Unit, database, unit_of_work
from backend.runtime.audit import note, runs_of
from backend.runtime.cancel import cancel_in
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter, requeue_in
from backend.runtime.views import RunView

BATCH = 100
MOST = 10_000


@dataclass(frozen=True)
class Bulk:
    """What came of it: `done` were changed, `left` were not, such as a run whose key another one has."""

    done: int
    left: int


async def cancel_matching(where: RunFilter) -> Bulk:
    """Cancel active runs, oldest first, at most MOST of them."""

    async def cancel(unit: Unit, run: RunView) -> bool:
        return await cancel_in(unit, run.id)

    return await _each("runs.cancel", where, ACTIVE, cancel)


async def requeue_matching(where: RunFilter) -> Bulk:
    """Requeue ended runs, oldest first, at most MOST of them. One of an unknown task, or with a key in use, is left."""

    async def requeue(unit: Unit, run: RunView) -> bool:
        return run.task in registry and await requeue_in(unit, run, run.args) is not None

    return await _each("runs.requeue", where, TERMINAL, requeue)


async def purge_matching(where: RunFilter, most: int = MOST) -> Bulk:
    """Delete ended runs with their attempts, for ever, oldest first, at most `most` of them."""

    async def purge(unit: Unit, run: RunView) -> bool:
        gone = delete(Run).where(Run.id == run.id, Run.state.in_(TERMINAL))
        return bool((await unit.connection.execute(gone)).rowcount)

    return await _each("runs.purge", where, TERMINAL, purge, most)


async def search_bound(newest: int) -> str | None:
    """The id that `newest` runs are newer than. None when there are not that many."""
    statement = select(Run.id).order_by(Run.id.desc()).offset(newest).limit(1)
    async with database().reading() as session:
        return await session.scalar(statement)


async def count_matching(where: RunFilter, states: Sequence[State]) -> int:
    """How many runs that match are in one of these states."""
    within = _within(where, states)
    async with database().reading() as session:
        return await session.scalar(select(func.count()).select_from(Run).where(*within.conditions())) or 0


def _within(where: RunFilter, states: Sequence[State]) -> RunFilter:
    return replace(where, state=[each for each in states if not where.state or each in where.state] or ["none"])


async def _each(
    name: str,
    where: RunFilter,
    states: Sequence[State],
    change: Callable[[Unit, RunView], Awaitable[bool]],
    most: int = MOST,
) -> Bulk:
    conditions, last, done, seen = _within(where, states).conditions(), "", 0, 0
    while seen < most:
        async with unit_of_work() as unit:
            chosen = select(Run).where(*conditions, Run.id > last).order_by(Run.id).limit(min(BATCH, most - seen))
            found = [RunView.of(row) for row in (await unit.session.scalars(chosen)).all()]
            if not found:
                break
            changed = sum([await change(unit, run) for run in found])
            await note(unit, name, runs_of(changed), **where.described())
            done += changed
        last, seen = found[-1].id, seen + len(found)
    return Bulk(done, seen - done)
