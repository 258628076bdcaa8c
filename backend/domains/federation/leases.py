"""Leases: which run has a record in hand. A lease ends by itself, so a run that died holds nothing up for long."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from backend.db.base import now
from backend.db.models.federation import PdsRecord
from backend.db.session import unit_of_work
from backend.errors import Snooze

LEASE = timedelta(seconds=120)  # longer than the slowest write
ANOTHER_WRITES = timedelta(seconds=1)
# This alone is no news about the record.
_GIVEN_BACK = {"writer": None, "writer_until": None, "updated_at": PdsRecord.updated_at}


async def take(record_id: str, mine: str) -> None:
    """Take a record in hand. `mine` names the run. Raises Snooze while another run has it."""
    statement = update(PdsRecord).where(PdsRecord.id == record_id, _free(mine)).values(**_taken(mine))
    async with unit_of_work() as unit:
        taken = (await unit.connection.execute(statement)).rowcount
    if not taken:
        raise Snooze("another run writes this record", after=ANOTHER_WRITES)


async def take_new(like: PdsRecord, mine: str, most: int) -> list[PdsRecord]:
    """Take other records of the same account and kind in hand: those that are to be created and met no error yet."""
    row = PdsRecord
    new = (
        select(row.id)
        .where(row.did == like.did, row.kind == like.kind, row.id != like.id, row.error.is_(None), _free(mine))
        .where(row.wanted.is_not(None), row.cid.is_(None), row.written_revision != row.wanted_revision)
        .order_by(row.rkey)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    async with unit_of_work() as unit:
        ids = (await unit.session.scalars(new)).all()
        await unit.connection.execute(update(row).where(row.id.in_(ids)).values(**_taken(mine)))
        return list(await unit.session.scalars(select(row).where(row.id.in_(ids))))


async def note(record_id: str, mine: str, values: dict[str, Any]) -> bool:
    """Write this into the row, if it is still in hand here. Returns whether it was."""
    statement = update(PdsRecord).where(PdsRecord.id == record_id, PdsRecord.writer == mine).values(**values)
    async with unit_of_work() as unit:
        return bool((await unit.connection.execute(statement)).rowcount)


async def give_back(mine: str, *record_ids: str) -> None:
    """Give these records back, those of them that are still in hand here."""
    statement = update(PdsRecord).where(PdsRecord.id.in_(record_ids), PdsRecord.writer == mine).values(**_GIVEN_BACK)
    async with unit_of_work() as unit:
        await unit.connection.execute(statement)


def _free(mine: str) -> ColumnElement[bool]:
    return or_(PdsRecord.writer.is_(None), PdsRecord.writer == mine, PdsRecord.writer_until < now())


def _taken(mine: str) -> dict[str, Any]:
    return {"writer": mine, "writer_until": now() + LEASE, "updated_at": PdsRecord.updated_at}
