"""Records as they are wanted: one row for each, which says what its owner's server should have and what it has."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, AccountState, PdsRecord
from backend.db.session import Unit, database
from backend.domains.federation.lexicons import ONLY_ONE, Kind, check_record, collection_of
from backend.domains.federation.tid import new_tid


class RecordState(StrEnum):
    """Where a record stands, for its owner."""

    WRITTEN = "written"  # the server has what is wanted
    DELETED = "deleted"  # it is not there, as is wanted
    PENDING = "pending"  # it will be written, or deleted, soon
    WAITING = "waiting_for_sign_in"  # its owner must sign in first
    FAILING = "failing"  # the last attempt failed; another one follows
    REFUSED = "refused"  # the server does not take it; another wish may help


SETTLED = (RecordState.WRITTEN, RecordState.DELETED)  # nothing is to be sent


@dataclass(frozen=True)
class RecordView:
    """A record as its owner sees it. `uri` is its address also before it is written; `error` says why it is not."""

    id: str
    did: str
    uri: str
    cid: str | None
    state: RecordState
    error: str | None
    revision: int
    updated_at: datetime


async def want(
    unit: Unit, did: str, kind: Kind, subject: str, content: dict[str, Any] | None, rkey: str | None = None
) -> PdsRecord | None:
    """Within this unit: this is what the account's server should have about `subject`; None: nothing.

    `content` is the record without its $type, `rkey` the key of one that has none yet; by default it is a new TID. Returns the row, whose `wanted_revision` is new if this is; None when
    nothing is wanted and nothing ever was. Raises InvalidInput when the lexicon refuses it.
    """
    record = None
    if content is not None:
        record = {"$type": collection_of(kind), **content}
        check_record(kind, record)
        await _allocate(unit, did, kind, subject, "self" if kind in ONLY_ONE else rkey or new_tid())
    row = await _locked(unit, did, kind, subject)
    if row is None or row.wanted == record:
        return row
    row.wanted = record
    row.wanted_revision += 1
    row.error, row.refused = None, False
    await unit.flush()
    return row


async def _allocate(unit: Unit, did: str, kind: Kind, subject: str, rkey: str) -> None:
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    new = make(PdsRecord).values(
        id=new_id(), did=did, kind=kind, subject=subject, collection=collection_of(kind), rkey=rkey, created_at=now()
    )
    await unit.connection.execute(new.on_conflict_do_nothing(index_elements=["did", "kind", "subject"]))


async def _locked(unit: Unit, did: str, kind: Kind, subject: str) -> PdsRecord | None:
    statement = select(PdsRecord).filter_by(did=did, kind=kind, subject=subject).with_for_update()
    return await unit.session.scalar(statement.execution_options(populate_existing=True))


async def find_record(did: str, kind: Kind, subject: str) -> RecordView | None:
    """The account's record about `subject`, if one was ever wanted."""
    return await _find(PdsRecord.did == did, PdsRecord.kind == kind, PdsRecord.subject == subject)


async def get_record(record_id: str) -> RecordView | None:
    """A record by the id of its row."""
    return await _find(PdsRecord.id == record_id)


async def subject_of_record(record_id: str, kind: Kind) -> str | None:
    """What a record of this kind is about; None when it is of another kind."""
    return await _subject(PdsRecord.id == record_id, PdsRecord.kind == kind)


async def subject_at(uri: str, kind: Kind) -> str | None:
    """What the record of this kind at this address is about; None when we have none of this kind there."""
    did, collection, rkey = uri.removeprefix("at://").split("/")
    place = (PdsRecord.did == did, PdsRecord.collection == collection, PdsRecord.rkey == rkey)
    return await _subject(PdsRecord.kind == kind, *place)


async def _subject(*conditions: ColumnElement[bool]) -> str | None:
    async with database().reading() as session:
        found: str | None = await session.scalar(select(PdsRecord.subject).where(*conditions))
    return found


async def _find(*conditions: Any) -> RecordView | None:
    statement = select(PdsRecord, Account.state).outerjoin(Account, Account.did == PdsRecord.did).where(*conditions)
    async with database().reading() as session:
        found = (await session.execute(statement)).first()
    if found is None:
        return None
    row, account_state = found
    return RecordView(
        id=row.id,
        did=row.did,
        uri=f"at://{row.did}/{row.collection}/{row.rkey}",
        cid=row.cid,
        state=_state(row, account_state),
        error=row.error,
        revision=row.wanted_revision,
        updated_at=row.updated_at,
    )


def _state(row: PdsRecord, account_state: str | None) -> RecordState:
    if row.written_revision == row.wanted_revision:
        return RecordState.WRITTEN if row.wanted is not None else RecordState.DELETED
    if row.refused:
        return RecordState.REFUSED
    if account_state != AccountState.ACTIVE:
        return RecordState.WAITING
    return RecordState.FAILING if row.error else RecordState.PENDING
