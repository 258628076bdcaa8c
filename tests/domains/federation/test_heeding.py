"""What becomes of accounts on their own servers is honoured here: away, back again, deleted, and renamed."""

import asyncio

import pytest
from sqlalchemy import func, select

from backend.db.ids import new_id
from backend.db.models.federation import Comment, Like, PdsRecord
from backend.db.models.network import AwayAccount, KnownRecord
from backend.db.session import Database
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.comments import add_comment, edit_comment, list_comments
from backend.domains.federation.heeding import heed_record_at
from backend.domains.federation.likes import like, show_like
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.writing import bring
from backend.errors import Snooze
from tests.domains.federation.conftest import HERE, account_row, ready_track
from tests.domains.federation.elsewhere import TRACK, OtherClient, heed_all, other_client, read_all
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import Account, NetworkServer

GET = "com.atproto.repo.getRecord"


@pytest.fixture
def carol(listening: NetworkServer) -> Account:
    """Somebody whose account the test spoils."""
    return listening.add(f"carol-{new_id()[-8:]}.test")


async def test_an_account_that_is_away_and_comes_back(
    listening: NetworkServer, track_id: str, bobs: OtherClient, carol: Account, database: Database
) -> None:
    track = await get_publication(track_id)
    async with other_client(listening, carol) as carols:
        await carols.like(track)
        await carols.comment(track, "hello")
        await bobs.comment(track, "me too")
        await read_all(bobs)
        assert sorted(await heed_all()) == ["taken", "taken", "taken"]
        await heed_all("heed_account")
        await carols.call("com.atproto.server.deactivateAccount", {})
        await read_all(bobs)
        assert await heed_all("heed_account") == ["deactivated"]
        assert [line.text for line in await list_comments(track_id)] == ["me too"]
        assert (await show_like(carol.did, track_id)).likes == 0
        async with database.reading() as session:
            assert (await session.get_one(AwayAccount, carol.did)).status == "deactivated"
        await carols.call("com.atproto.server.activateAccount")
    await read_all(bobs)
    assert await heed_all("heed_account") == ["active"]
    assert [line.text for line in await list_comments(track_id)] == ["me too", "hello"]
    assert (await show_like(carol.did, track_id)).likes == 1


async def test_what_came_from_a_deleted_account_goes(
    listening: NetworkServer, track_id: str, bobs: OtherClient, carol: Account, database: Database
) -> None:
    track = await get_publication(track_id)
    await sign_in(carol.did, listening.app_password(carol), HERE)
    liked = await like(carol.did, track_id)
    said = await add_comment(carol.did, track_id, "never written", 0)
    assert liked.record
    assert said.record
    await bring(liked.record.id)
    async with other_client(listening, carol) as carols:
        await carols.comment(track, "hello")
        await carols.put("track", **TRACK)
    await read_all(bobs)
    await heed_all()
    assert len(await list_comments(track_id)) == 2
    listening.delete(carol)
    await read_all(bobs)
    assert "deleted" in await heed_all("heed_account")
    async with database.reading() as session:
        for model in (Like, Comment, KnownRecord):
            assert await session.scalar(select(func.count()).where(model.did == carol.did)) == 0
        rows = list(await session.scalars(select(PdsRecord).where(PdsRecord.did == carol.did)))
    assert len(rows) == 3
    assert all(row.wanted is None and row.written_revision == row.wanted_revision for row in rows)
    # News of it that comes once more finds nothing to do.
    assert await heed_record_at(liked.record.uri) == "not to be had"


async def test_a_new_handle_is_noted_once_it_is_proven(
    listening: NetworkServer, bobs: OtherClient, carol: Account, database: Database
) -> None:
    await sign_in(carol.did, listening.app_password(carol), HERE)
    await read_all(bobs)
    await heed_all("heed_account")
    assert (await account_row(carol.did)).handle == carol.handle
    async with other_client(listening, carol) as carols:
        handle = f"new-{carol.handle}"
        await carols.call("com.atproto.identity.updateHandle", {"handle": handle})
    await read_all(bobs)
    assert await heed_all("heed_account") == ["active"]
    assert (await account_row(carol.did)).handle == handle


async def test_a_record_that_changes_here_while_its_server_is_asked(
    fronted_network: NetworkServer, front: FaultyPds, database: Database
) -> None:
    alice, bob, held = fronted_network.alice, fronted_network.bob, asyncio.Event()
    await sign_in(alice.did, fronted_network.app_password(alice), HERE)
    track_id = await ready_track(alice.did)
    await request_publication(track_id)
    track = await publish(track_id)
    async with other_client(fronted_network, bob) as bobs:
        uri = await bobs.comment(track, "first")
        assert await heed_record_at(uri) == "taken"
        await bobs.comment(track, "second", uri)
        front.plan(GET, Fault(hold=held))
        heeding, asked = asyncio.create_task(heed_record_at(uri)), front.calls[GET]
        async with asyncio.timeout(20):
            while front.calls[GET] == asked:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        [line] = await list_comments(track_id)
        await edit_comment(bob.did, track_id, line.id, "third")
        held.set()
        with pytest.raises(Snooze):
            await heeding
    # It is ours to write now, so what is there is left to that.
    assert await heed_record_at(uri) == "on its way"
    assert [line.text for line in await list_comments(track_id)] == ["third"]
