"""Queues: how deep they are, what they are limited to, and pause and resume of a queue or a task."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.models.runs import ACTIVE, Control, Run, State
from backend.db.session import database, unit_of_work
from backend.errors import NotFound
from backend.runtime.audit import note
from backend.runtime.dispatch import dispatcher
from backend.runtime.registry import QUEUES, registry, spec_of
from backend.settings import get_settings


@dataclass(frozen=True)
class QueueView:
    """A queue. `oldest_waiting_s` is the age of the run that waits longest; `paused_tasks` are tasks of this queue."""

    name: str
    waiting: int
    queued: int
    scheduled: int
    running: int
    dead: int
    concurrency: int | None
    rate: str | None
    paused: bool
    paused_tasks: tuple[str, ...]
    oldest_waiting_s: float | None


async def list_queues() -> list[QueueView]:
    """Every queue, in the order they are declared."""
    states = [*ACTIVE, State.DEAD]
    counts = select(Run.queue, Run.state, func.count()).where(Run.state.in_(states)).group_by(Run.queue, Run.state)
    oldest = select(Run.queue, func.min(Run.created_at)).where(Run.state == State.WAITING).group_by(Run.queue)
    async with database().reading() as session:
        by_state = {(row[0], row[1]): row[2] for row in (await session.execute(counts)).all()}
        since = {row[0]: row[1] for row in (await session.execute(oldest)).all()}
        paused = {(row.kind, row.name) for row in (await session.scalars(select(Control).where(Control.paused))).all()}
    runner, moment = get_settings().runner, now()
    return [
        QueueView(
            queue,
            **{str(state): by_state.get((queue, state), 0) for state in states},
            concurrency=runner.runner_queue_concurrency.get(queue),
            rate=runner.runner_queue_rate.get(queue),
            paused=("queue", queue) in paused,
            paused_tasks=tuple(
                sorted(s.name for s in registry.values() if s.queue == queue and ("task", s.name) in paused)
            ),
            oldest_waiting_s=(moment - since[queue]).total_seconds() if queue in since else None,
        )
        for queue in QUEUES
    ]


async def pause_queue(name: str) -> None:
    """Start nothing more from this queue. What runs goes on, what comes waits. Raises NotFound."""
    await _set_queue(name, paused=True)


async def resume_queue(name: str) -> None:
    """Go on with this queue. Raises NotFound."""
    await _set_queue(name, paused=False)


async def pause_task(name: str) -> None:
    """Start no more runs of this task. Raises UnknownTask."""
    await _set_task(name, paused=True)


async def resume_task(name: str) -> None:
    """Go on with this task. Raises UnknownTask."""
    await _set_task(name, paused=False)


async def _set_queue(name: str, paused: bool) -> None:
    if name not in QUEUES:
        raise NotFound(f"no queue {name!r}; queues are {', '.join(QUEUES)}", field="queue")
    if (here := dispatcher()) is not None and paused:
        here.view.paused_queues.add(name)
    await _control("queue", name, paused)


async def _set_task(name: str, paused: bool) -> None:
    spec_of(name)
    if (here := dispatcher()) is not None and paused:
        here.view.paused_tasks.add(name)
    await _control("task", name, paused)


async def _control(kind: str, name: str, paused: bool) -> None:
    async with unit_of_work() as unit:
        make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
        row = {"kind": kind, "name": name, "paused": paused, "updated_at": now()}
        statement = make(Control).values(row)
        await unit.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "name"], set_={"paused": paused, "updated_at": now()}
            )
        )
        await note(unit, f"{kind}.{'pause' if paused else 'resume'}", name)
    if (here := dispatcher()) is not None:
        here.wake()
