"""The audit log: who did what to which run, queue or schedule, by which way, written with the change itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.audit import AuditEntry
from backend.db.session import Unit, database
from backend.runtime.storable import storable

TARGET_LIMIT = 500
VALUE_LIMIT = 300


@dataclass(frozen=True)
class Actor:
    """Who acts: `who` is a DID, or says who it is where nobody signs in. `via` is desk, api or terminal."""

    who: str
    via: str


@dataclass(frozen=True)
class AuditView:
    """One action."""

    id: str
    at: datetime
    who: str
    via: str
    action: str
    target: str
    details: dict[str, Any] | None


actor: ContextVar[Actor | None] = ContextVar("actor", default=None)
"""Who acts from here on. None where no operator does, such as in a run: that is not written down."""


@contextmanager
def acting(who: str, via: str) -> Iterator[None]:
    """What is done inside is done by them."""
    token = actor.set(Actor(who, via))
    try:
        yield
    finally:
        actor.reset(token)


async def note(unit: Unit, action: str, target: str, **details: Any) -> None:
    """Write down what the current actor does within this unit. Details that are None are left out."""
    current = actor.get()
    if current is None:
        return
    known = {name: _short(value) for name, value in details.items() if value is not None}
    row = {
        "id": new_id(),
        "at": now(),
        "who": storable(current.who, VALUE_LIMIT),
        "via": current.via,
        "action": action,
        "target": storable(target, TARGET_LIMIT)[:TARGET_LIMIT],
        "details": known or None,
    }
    await unit.connection.execute(insert(AuditEntry), [row])


def runs_of(count: int) -> str:
    """So many runs, as the target of an action."""
    return "1 run" if count == 1 else f"{count} runs"


async def list_audit(limit: int = 50, before: str | None = None, text: str | None = None) -> list[AuditView]:
    """What was done, newest first. `before` is the id of the last one of the page before; `text` is in any of it."""
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    if text:
        columns = (AuditEntry.who, AuditEntry.action, AuditEntry.target)
        statement = statement.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    async with database().reading() as session:
        rows = (await session.scalars(statement)).all()
    return [AuditView(**{name: getattr(row, name) for name in AuditView.__dataclass_fields__}) for row in rows]


def _short(value: Any) -> Any:
    if isinstance(value, int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_short(each) for each in value[:20]]
    return storable(str(value), VALUE_LIMIT)
