"""What was done elsewhere: a record that another program wrote, edited or deleted becomes what the platform has of it.

Such a record gets a row like one of our own. So it is edited and deleted here like all others, and is never taken twice.
"""

from typing import Any

from sqlalchemy import delete, select

from backend.db.ids import new_id
from backend.db.models.federation import Comment, Like, PdsRecord
from backend.db.models.media import Track
from backend.db.session import Unit
from backend.domains.federation.comments import retell_comment, take_comment
from backend.domains.federation.lexicons import Kind, check_record, collection_of
from backend.domains.federation.likes import count_like
from backend.domains.federation.saved_audio import forget_blob

There = dict[str, Any]  # `cid` and `value`, as com.atproto.repo.getRecord gives them


async def take(unit: Unit, kind: Kind, did: str, rkey: str, there: There) -> bool:
    """Within this unit: a record that we did not write is a like of, or a comment on, a track here. Returns whether it is.

    Raises InvalidInput when the lexicon refuses it, and what `take_comment` raises.
    """
    record = there["value"]
    check_record(kind, record)
    track_id = await _track_of(unit, record["subject"]["uri"]) if kind in (Kind.LIKE, Kind.COMMENT) else None
    if track_id is None:
        return False
    if kind is Kind.COMMENT:
        return _keep(
            unit, PdsRecord(kind=kind, did=did, rkey=rkey), await take_comment(unit, did, track_id, record), there
        )
    row = await unit.session.scalar(select(PdsRecord).filter_by(did=did, kind=kind, subject=track_id).with_for_update())
    if row is not None and (row.wanted is not None or row.written_revision != row.wanted_revision):
        return False  # it is liked already, or an unlike is on its way: one like is enough
    await count_like(unit, did, track_id)
    row = row or PdsRecord(kind=kind, did=did)
    row.rkey = rkey
    return _keep(unit, row, track_id, there)


def _keep(unit: Unit, row: PdsRecord, subject: str, there: There) -> bool:
    """The row is about this record from now on, which is as it is wanted."""
    row.subject, row.collection = subject, collection_of(Kind(row.kind))
    unit.session.add(row)
    settle(row, there)
    return True


def settle(row: PdsRecord, there: There | None) -> None:
    """What is there is what is wanted, so nothing is to be written."""
    row.id = row.id or new_id()
    row.wanted, row.cid = (there["value"], there["cid"]) if there else (None, None)
    row.wanted_revision = row.written_revision = (row.wanted_revision or 0) + 1
    row.error, row.refused = None, False


async def change(unit: Unit, row: PdsRecord, there: There) -> bool:
    """Within this unit: a record of ours was edited elsewhere. Returns whether that changes anything here.

    What the platform itself says of tracks and albums it says again with their next change. Raises InvalidInput when the
    lexicon refuses the record.
    """
    if row.wanted is None or row.kind not in (Kind.LIKE, Kind.COMMENT):
        return False
    check_record(Kind(row.kind), there["value"])
    if row.kind == Kind.COMMENT:
        await retell_comment(unit, row.subject, there["value"])
    settle(row, there)
    return True


async def remove(unit: Unit, row: PdsRecord) -> None:
    """Within this unit: a record of ours was deleted elsewhere. What it stood for goes, and is not written again."""
    match row.kind:
        case Kind.LIKE:
            await unit.connection.execute(delete(Like).where(Like.did == row.did, Like.track_id == row.subject))
        case Kind.COMMENT:
            await unit.connection.execute(delete(Comment).where(Comment.id == row.subject))
        case Kind.TRACK:
            await forget_blob(unit, row.subject)
    settle(row, None)


async def _track_of(unit: Unit, uri: str) -> str | None:
    """The track whose published record is at this address."""
    did, _, rest = uri.removeprefix("at://").partition("/")
    collection, _, rkey = rest.partition("/")
    published = (
        select(Track.id)
        .join(PdsRecord, (PdsRecord.subject == Track.id) & (PdsRecord.did == Track.artist_did))
        .where(PdsRecord.did == did, PdsRecord.collection == collection, PdsRecord.rkey == rkey)
        .where(PdsRecord.kind == Kind.TRACK, PdsRecord.wanted.is_not(None))
    )
    found: str | None = await unit.session.scalar(published)
    return found
