"""What is wanted of a record: a key from the start, one row for each thing, and a revision for each wish."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from backend.db.models.federation import Account, AccountState, PdsRecord
from backend.db.session import Database, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.records import RecordState, find_record, get_record, want
from backend.errors import InvalidInput

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
PROFILE = {"bio": "hello", "createdAt": "2026-11-23T09:14:03.250Z"}
TRACK = {"title": "One", "artist": "Anna", "fileType": "flac", "createdAt": "2026-11-23T09:14:03.250Z"}


async def _want(content: dict[str, object] | None, kind: Kind = Kind.TRACK) -> PdsRecord | None:
    async with unit_of_work() as unit:
        return await want(unit, DID, kind, "track-1", content)


async def test_the_address_is_known_before_anything_is_written(database: Database) -> None:
    row = await _want(TRACK)
    assert row is not None
    found = await find_record(DID, Kind.TRACK, "track-1")
    assert found is not None
    assert found.uri == f"at://{DID}/fm.backline.track/{row.rkey}"
    assert (found.cid, found.revision, found.state) == (None, 1, RecordState.WAITING)
    assert await get_record(row.id) == found
    assert row.wanted == {"$type": "fm.backline.track", **TRACK}


async def test_the_same_wish_is_no_new_one(database: Database) -> None:
    first = await _want(TRACK)
    again = await _want(dict(TRACK))
    changed = await _want(TRACK | {"title": "Two"})
    withdrawn = await _want(None)
    rows = [row for row in (first, again, changed, withdrawn) if row is not None]
    assert [row.wanted_revision for row in rows] == [1, 1, 2, 3]
    assert len({row.rkey for row in rows}) == 1
    assert await _want(None, Kind.PROFILE) is None


async def test_many_at_once_want_one_record(database: Database) -> None:
    await asyncio.gather(*(_want(TRACK | {"title": f"Title {number}"}) for number in range(8)))
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(PdsRecord)) == 1
        assert await session.scalar(select(PdsRecord.wanted_revision)) == 8


async def test_what_the_lexicon_refuses_is_not_wanted(sqlite_database: Database) -> None:
    with pytest.raises(InvalidInput, match="title has at most"):
        await _want(TRACK | {"title": "x" * 501})
    assert await find_record(DID, Kind.TRACK, "track-1") is None


async def test_a_profile_has_the_key_that_the_protocol_says(sqlite_database: Database) -> None:
    row = await _want(PROFILE, Kind.PROFILE)
    assert row is not None
    assert (row.collection, row.rkey) == ("fm.backline.actor.profile", "self")


async def test_each_state_can_be_seen(sqlite_database: Database) -> None:
    await _want(TRACK)
    async with unit_of_work() as unit:
        unit.session.add(Account(did=DID, handle="alice.test", pds_url="https://x", state=AccountState.ACTIVE))
    for values, state in (
        ({}, RecordState.PENDING),
        ({"error": "away"}, RecordState.FAILING),
        ({"refused": True}, RecordState.REFUSED),
        ({"written_revision": 1}, RecordState.WRITTEN),
        ({"wanted": None}, RecordState.DELETED),
    ):
        if values:
            async with unit_of_work() as unit:
                await unit.connection.execute(update(PdsRecord).values(**values))
        found = await find_record(DID, Kind.TRACK, "track-1")
        assert found is not None
        assert found.state == state
