"""Dead letters: runs whose attempts are spent. List them, group them by error, requeue them, purge them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select

from backend.db.models.runs import Run, State
from backend.db.session import database, unit_of_work
from backend.errors import InvalidInput
from backend.runtime.audit import note, runs_of
from backend.runtime.registry import spec_of
from backend.runtime.runs import RunFilter, list_runs, requeue_in
from backend.runtime.views import RunView
from backend.settings import get_settings


@dataclass(frozen=True)
class DeadGroup:
    """Dead runs of one task whose errors read alike."""

    error_group: str | None
    error_type: str | None
    example: str | None
    task: str
    count: int
    newest_at: datetime | None


@dataclass(frozen=True)
class DeadFilter:
    """Which dead runs. `error` is a part of it; `ended` is when the last attempt did. Everything given must hold."""

    error: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        found: list[ColumnElement[bool]] = [Run.state == State.DEAD]
        if self.error:
            found.append(Run.error.icontains(self.error, autoescape=True))
        for column, start, end in (
            (Run.created_at, self.created_after, self.created_before),
            (Run.finished_at, self.ended_after, self.ended_before),
        ):
            if start is not None:
                found.append(column >= start)
            if end is not None:
                found.append(column < end)
        return found


async def page_dead(
    where: DeadFilter, by_end: bool, descending: bool, limit: int, skip: int
) -> tuple[list[RunView], int]:
    """Some dead runs, ordered by when they ended or were asked for, and how many match in all."""
    order = (Run.finished_at, Run.id) if by_end else (Run.id,)
    chosen = select(Run).where(*where.conditions()).order_by(*(each.desc() if descending else each for each in order))
    counted = select(func.count()).select_from(Run).where(*where.conditions())
    async with database().reading() as session:
        found = (await session.scalars(chosen.limit(limit).offset(skip))).all() if limit else []
        return [RunView.of(row) for row in found], int(await session.scalar(counted) or 0)


async def count_dead_by_queue(where: DeadFilter) -> dict[str, int]:
    """How many dead runs match, by queue. A queue without one is left out."""
    statement = select(Run.queue, func.count()).where(*where.conditions()).group_by(Run.queue)
    async with database().reading() as session:
        return {row[0]: row[1] for row in (await session.execute(statement)).all()}


def _dead(where: RunFilter | None) -> RunFilter:
    return replace(where or RunFilter(), state=[State.DEAD])


async def list_dead(
    where: RunFilter | None = None, limit: int | None = None, before: str | None = None
) -> list[RunView]:
    """Dead runs, newest first."""
    return await list_runs(_dead(where), limit or get_settings().dead_letters.dlq_page_size_default, before)


async def group_dead(where: RunFilter | None = None) -> list[DeadGroup]:
    """Dead runs counted by task and kind of error, the largest group first."""
    columns = (Run.error_group, Run.error_type, func.min(Run.error), Run.task, func.count(), func.max(Run.finished_at))
    statement = (
        select(*columns)
        .where(*_dead(where).conditions())
        .group_by(Run.error_group, Run.error_type, Run.task)
        .order_by(func.count().desc(), Run.task)
    )
    async with database().reading() as session:
        return [DeadGroup(*row) for row in (await session.execute(statement)).all()]


async def requeue_dead(where: RunFilter | None = None, ids: Sequence[str] | None = None) -> int:
    """Requeue dead runs, oldest first, at most DLQ_REQUEUE_LIMIT of them. Returns how many.

    Raises UnknownTask when one of them belongs to a task that is not declared: nothing is requeued then. One whose key
    another active run has stays dead.
    """
    most = get_settings().dead_letters.dlq_requeue_limit
    if ids is not None and len(ids) > most:
        raise InvalidInput(f"at most {most} runs can be requeued at once (DLQ_REQUEUE_LIMIT)", field="ids")
    chosen = select(Run).where(*_dead(_which(where, ids)).conditions()).order_by(Run.id).limit(most)
    async with unit_of_work() as unit:
        runs = [RunView.of(row) for row in (await unit.session.scalars(chosen)).all()]
        for task in {run.task for run in runs}:
            spec_of(task)
        done = sum([await requeue_in(unit, run, run.args) is not None for run in runs])
        await note(unit, "dead.requeue", runs_of(done), **_which(where, ids).described())
        return done


async def purge_dead(where: RunFilter | None = None, ids: Sequence[str] | None = None) -> int:
    """Delete dead runs with their attempts, oldest first, at most DLQ_PURGE_LIMIT of them. Returns how many."""
    most = get_settings().dead_letters.dlq_purge_limit
    if ids is not None and len(ids) > most:
        raise InvalidInput(f"at most {most} runs can be purged at once (DLQ_PURGE_LIMIT)", field="ids")
    chosen = select(Run.id).where(*_dead(_which(where, ids)).conditions()).order_by(Run.id).limit(most)
    async with unit_of_work() as unit:
        found = (await unit.session.scalars(chosen)).all()
        statement = delete(Run).where(Run.id.in_(found), Run.state == State.DEAD)
        done = (await unit.connection.execute(statement)).rowcount
        await note(unit, "dead.purge", runs_of(done), **_which(where, ids).described())
        return done


def _which(where: RunFilter | None, ids: Sequence[str] | None) -> RunFilter:
    return replace(where or RunFilter(), ids=list(ids)) if ids is not None else where or RunFilter()
