"""What others do elsewhere in a real network is here too, once, and what we did ourselves makes no twin."""

import asyncio

import httpx
import pytest
from sqlalchemy import func, select

from backend.db.models.federation import Account, PdsRecord
from backend.db.models.media import Track
from backend.db.models.network import KnownRecord
from backend.db.session import Database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.comments import add_comment, edit_comment, list_comments
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.likes import like, show_like, unlike
from backend.domains.federation.preferences import change_preferences
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.records import RecordState, find_record
from backend.domains.federation.writing import bring, recheck
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE
from tests.domains.federation.elsewhere import SINCE, TRACK, OtherClient, heed_all, other_client, read_all
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

PUT = "com.atproto.repo.putRecord"


async def test_a_like_from_elsewhere_is_here_once(
    listening: NetworkServer, track_id: str, bobs: OtherClient, bob_password: str
) -> None:
    bob = listening.bob.did
    uri = await bobs.like(await get_publication(track_id))
    await read_all(bobs)
    assert "taken" in await heed_all()
    liked = await show_like(bob, track_id)
    assert (liked.liked, liked.likes) == (True, 1)
    assert liked.record is not None
    assert (liked.record.uri, liked.record.state) == (uri, RecordState.WRITTEN)
    # Taken back here, it is deleted there.
    await sign_in("bob.test", bob_password, HERE)
    await unlike(bob, track_id)
    assert (await bring(liked.record.id)).state == RecordState.DELETED
    await read_all(bobs)
    await heed_all()
    assert (await show_like(bob, track_id)).likes == 0


async def test_the_echo_of_our_own_like_makes_no_twin(
    listening: NetworkServer, track_id: str, bobs: OtherClient, bob_password: str, database: Database
) -> None:
    bob = listening.bob.did
    await sign_in("bob.test", bob_password, HERE)
    liked = await like(bob, track_id)
    assert liked.record is not None
    done = await bring(liked.record.id)
    # Minds change quickly, and every echo comes late.
    await unlike(bob, track_id)
    await bring(done.id)
    await like(bob, track_id)
    done = await bring(done.id)
    await read_all(bobs)
    assert set(await heed_all()) <= {"as it is here"}
    assert await find_record(bob, Kind.LIKE, track_id) == done
    assert (await show_like(bob, track_id)).likes == 1
    async with database.reading() as session:
        rows = await session.scalar(select(func.count()).where(PdsRecord.did == bob, PdsRecord.kind == Kind.LIKE))
    assert rows == 1


async def test_an_echo_that_comes_before_our_own_note(
    listening: NetworkServer,
    track_id: str,
    bobs: OtherClient,
    bob_password: str,
    faulty: FaultyPds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bob, held = listening.bob.did, asyncio.Event()
    await sign_in("bob.test", bob_password, HERE)
    async with unit_of_work() as unit:
        (await unit.session.get_one(Account, bob)).pds_url = faulty.url
    said = await add_comment(bob, track_id, "this bass!", 5)
    assert said.record is not None
    set_environment(monkeypatch, OUTBOUND_TIMEOUT_S="60")
    faulty.plan(PUT, Fault(hold=held, reached=True))
    writing = asyncio.create_task(bring(said.record.id))
    async with asyncio.timeout(20):
        while not await there(listening, said.record.uri):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await read_all(bobs)
    assert await heed_all() == []
    found = await find_record(bob, Kind.COMMENT, said.comment.id)
    assert found is not None
    assert (found.state, found.cid) == (RecordState.PENDING, None)  # the echo was here first
    held.set()
    assert (await writing).state == RecordState.WRITTEN
    assert [line.id for line in await list_comments(track_id)] == [said.comment.id]


async def there(network: NetworkServer, uri: str) -> bool:
    """Whether the record is on its server."""
    _, _, did, collection, rkey = uri.split("/")
    async with httpx.AsyncClient(base_url=f"{network.behind}/xrpc/", timeout=30) as http:
        asked = {"repo": did, "collection": collection, "rkey": rkey}
        return (await http.get("com.atproto.repo.getRecord", params=asked)).status_code == 200


async def test_a_comment_from_elsewhere_is_edited_and_deleted_there_and_here(
    listening: NetworkServer, track_id: str, bobs: OtherClient, bob_password: str
) -> None:
    bob, track = listening.bob.did, await get_publication(track_id)
    uri = await bobs.comment(track, "first")
    await read_all(bobs)
    assert await heed_all() == ["taken"]
    [line] = await list_comments(track_id)
    assert (line.did, line.text, line.timestamp_ms, line.updated_at) == (bob, "first", 5, None)
    await bobs.comment(track, "second", uri)
    await read_all(bobs)
    assert await heed_all() == ["changed"]
    [edited] = await list_comments(track_id)
    assert (edited.id, edited.text, edited.updated_at is None) == (line.id, "second", False)
    # It is his here as well.
    await sign_in("bob.test", bob_password, HERE)
    said = await edit_comment(bob, track_id, line.id, "third")
    assert said.record is not None
    assert said.record.uri == uri
    await bring(said.record.id)
    await read_all(bobs)
    assert set(await heed_all()) <= {"as it is here"}
    assert [each.text for each in await list_comments(track_id)] == ["third"]
    await bobs.delete(uri)
    await read_all(bobs)
    assert await heed_all() == ["removed"]
    assert await list_comments(track_id) == []
    gone = await find_record(bob, Kind.COMMENT, line.id)
    assert gone is not None
    assert gone.state == RecordState.DELETED  # nothing will write it again


async def test_a_record_of_ours_that_is_deleted_elsewhere(
    listening: NetworkServer, track_id: str, bobs: OtherClient, bob_password: str
) -> None:
    bob, track = listening.bob.did, await get_publication(track_id)
    await sign_in("bob.test", bob_password, HERE)
    liked = await like(bob, track_id)
    assert liked.record is not None
    await bring(liked.record.id)
    await bobs.delete(liked.record.uri)
    async with other_client(listening, listening.alice) as alices:
        await alices.delete(track.uri)
    await read_all(bobs)
    assert sorted(await heed_all()) == ["removed", "removed"]
    shown = await show_like(bob, track_id)
    assert (shown.liked, shown.likes) == (False, 0)
    assert shown.record is not None
    assert shown.record.state == RecordState.DELETED
    assert (await get_publication(track_id)).state == RecordState.DELETED
    # What is wanted anew is written anew.
    await request_publication(track_id)
    assert (await publish(track_id)).state == RecordState.WRITTEN


async def test_what_is_not_taken(
    listening: NetworkServer, track_id: str, bobs: OtherClient, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    track = await get_publication(track_id)
    subject = {"uri": track.uri, "cid": track.cid}
    broken = [
        await bobs.put("like", subject=subject),  # without a time
        await bobs.put("like", subject="not a reference", createdAt=SINCE),
        await bobs.put("comment", subject=subject, text="x" * 1001, timestampMs=1, createdAt=SINCE),
        await bobs.put("comment", subject=subject, text="zero \x00", timestampMs=1, createdAt=SINCE),
        await bobs.put("like", "x" * 512, subject=subject, createdAt=SINCE),  # no run could be named after it
        await bobs.put("track", title="", artist="", fileType="flac", createdAt=SINCE),
    ]
    other = await bobs.put("like", subject={**subject, "uri": f"{track.uri[:-1]}2"}, createdAt=SINCE)
    late = await bobs.comment(track, "after its end", at=210_601)
    await read_all(bobs)
    assert await heed_all() == ["not taken"]
    await change_preferences(listening.alice.did, allow_comments=False)
    unwelcome = await bobs.comment(track, "hello?")
    await read_all(bobs)
    assert await heed_all() == ["not taken"]
    await change_preferences(listening.alice.did, allow_comments=True)
    set_environment(monkeypatch, COMMENTS_PER_TRACK="1")
    await bobs.comment(track, "one")
    await bobs.comment(track, "two")
    await read_all(bobs)
    assert sorted(await heed_all()) == ["not taken", "taken"]
    assert (await show_like(listening.bob.did, track_id)).likes == 0
    assert len(await list_comments(track_id)) == 1
    async with database.reading() as session:
        known = set(await session.scalars(select(KnownRecord.uri)))
    assert known >= {other, late, unwelcome}
    assert not known & set(broken)
    await bobs.delete(other)
    await read_all(bobs)
    async with database.reading() as session:
        assert await session.get(KnownRecord, other) is None


async def test_two_likes_elsewhere_are_one(listening: NetworkServer, track_id: str, bobs: OtherClient) -> None:
    track = await get_publication(track_id)
    first, second = await bobs.like(track), await bobs.like(track)
    await read_all(bobs)
    assert await heed_all() == ["taken", "nothing to do"]
    liked = await show_like(listening.bob.did, track_id)
    assert liked.record is not None
    assert (liked.likes, liked.record.uri) == (1, first)
    await bobs.delete(first)
    await bobs.put("like", second.rpartition("/")[2], subject={"uri": track.uri, "cid": track.cid},
                   createdAt="2026-11-24T00:00:00Z")  # fmt: skip
    await read_all(bobs)
    await heed_all()
    liked = await show_like(listening.bob.did, track_id)
    assert liked.record is not None
    assert (liked.likes, liked.record.uri) == (1, second)


async def test_what_was_taken_back_here_stays_so(
    listening: NetworkServer, track_id: str, bobs: OtherClient, bob_password: str
) -> None:
    bob, track = listening.bob.did, await get_publication(track_id)
    await sign_in("bob.test", bob_password, HERE)
    liked = await like(bob, track_id)
    assert liked.record is not None
    await bring(liked.record.id)
    await unlike(bob, track_id)
    await bring(liked.record.id)
    # Under the same key it may be a late write of our own, which `recheck_record` takes away.
    await bobs.put("like", liked.record.uri.rpartition("/")[2], subject={"uri": track.uri, "cid": track.cid},
                   createdAt=SINCE)  # fmt: skip
    await read_all(bobs)
    assert await heed_all() == ["nothing to do"]
    assert (await show_like(bob, track_id)).likes == 0
    assert not await recheck(liked.record.id)
    assert not await there(listening, liked.record.uri)


async def test_what_is_said_of_a_track_here_wins(listening: NetworkServer, track_id: str, bobs: OtherClient) -> None:
    track = await get_publication(track_id)
    async with other_client(listening, listening.alice) as alices:
        await alices.put("track", track.uri.rpartition("/")[2], **TRACK)
        await read_all(bobs)
        assert await heed_all() == ["nothing to do"]
        async with unit_of_work() as unit:
            (await unit.session.get_one(Track, track_id)).title = "Night Drive II"
        await request_publication(track_id)
        await publish(track_id)
        written = await get_publication(track_id)
        assert written.cid != track.cid
        # And that is no news either.
        await read_all(bobs)
        assert set(await heed_all()) <= {"as it is here"}
    assert await get_publication(track_id) == written
