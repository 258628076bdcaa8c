"""Comments reach their author's own server as they were said last, and the track's owner decides what is shown."""

import asyncio
from typing import Any

import pytest
from atproto import AsyncClient
from sqlalchemy import select, update

from backend._internal.background import background
from backend.db.models.federation import Account
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.comments import (
    CommentView,
    add_comment,
    edit_comment,
    list_comments,
    remove_comment,
    show_comment,
)
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.preferences import change_preferences
from backend.domains.federation.publication import get_publication, publish, request_publication, withdraw_publication
from backend.domains.federation.records import RecordState, find_record
from backend.domains.federation.writing import bring
from backend.errors import BacklineError, Conflict, Forbidden, InvalidInput, NotFound
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, alice_signs_in, ready_track
from tests.network.faulty import FaultyPds
from tests.network.server import NetworkServer

PUT, DELETE = (f"com.atproto.repo.{name}Record" for name in ("put", "delete"))


@pytest.fixture
async def track_id(platform: NetworkServer, database: Database, alice_password: str) -> str:
    """A published track of alice's. Nothing runs by itself."""
    await alice_signs_in(platform, alice_password)
    made = await ready_track(platform.alice.did)
    await request_publication(made)
    await publish(made)
    return made


async def _bob_signs_in(platform: NetworkServer, password: str, through: FaultyPds) -> None:
    """bob.test signs in, and his server is reached through this proxy."""
    await sign_in("bob.test", password, HERE)
    moved = update(Account).where(Account.did == platform.bob.did).values(pds_url=through.url)
    async with unit_of_work() as unit:
        await unit.connection.execute(moved)


async def _comments(platform: NetworkServer, track_uri: str) -> list[dict[str, Any]]:
    """bob's comments on a track, as another client sees them."""
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    asked = {"repo": platform.bob.did, "collection": "fm.backline.comment", "limit": 100}
    found = [
        {"uri": record.uri, "cid": record.cid, **record.value.to_dict()}
        for record in (await client.com.atproto.repo.list_records(asked)).records
    ]
    await client.request.close()
    return [record for record in found if record["subject"]["uri"] == track_uri]


def _record_id(view: CommentView) -> str:
    assert view.record is not None
    return view.record.id


async def _until(did: str, comment_id: str, state: RecordState) -> None:
    async with asyncio.timeout(60):
        while True:
            found = await find_record(did, Kind.COMMENT, comment_id)
            if found is not None and found.state == state:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_a_comment_is_written_edited_and_deleted(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str,
    bob_password: str,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    bob = platform.bob.did
    async with background(get_settings(), "worker"):
        await alice_signs_in(platform, alice_password)
        await sign_in("bob.test", bob_password, HERE)
        track_id = await ready_track(platform.alice.did)
        await request_publication(track_id)
        async with asyncio.timeout(60):
            while (track := await get_publication(track_id)).state != RecordState.WRITTEN:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        said = (await add_comment(bob, track_id, " this bass!\x00 ", 84_200)).comment
        assert (said.text, said.updated_at) == ("this bass!", None)
        await _until(bob, said.id, RecordState.WRITTEN)
        [record] = await _comments(platform, track.uri)
        created = record["createdAt"]
        assert record["subject"] == {"uri": track.uri, "cid": track.cid}
        assert (record["text"], record["timestampMs"], record.get("updatedAt")) == ("this bass!", 84_200, None)
        for words in ("this", "this bass", "THIS bass"):
            await edit_comment(bob, track_id, said.id, words)
        await _until(bob, said.id, RecordState.WRITTEN)
        [edited] = await _comments(platform, track.uri)
        assert (edited["text"], edited["createdAt"], edited["uri"]) == ("THIS bass", created, record["uri"])
        assert edited["updatedAt"] > created
        await remove_comment(bob, track_id, said.id)
        await _until(bob, said.id, RecordState.DELETED)
        assert await _comments(platform, track.uri) == []
        assert await list_comments(track_id) == []


async def test_an_edit_before_the_create_is_what_is_created(
    platform: NetworkServer, track_id: str, bob_password: str, faulty: FaultyPds, database: Database
) -> None:
    bob, track = platform.bob.did, await get_publication(track_id)
    said = await add_comment(bob, track_id, "first", 5)
    assert said.record is not None
    assert said.record.state == RecordState.WAITING  # he has not signed in
    edited = await edit_comment(bob, track_id, said.comment.id, "second")
    assert edited.record is not None
    assert (edited.record.uri, edited.record.revision) == (said.record.uri, 2)
    # Asked for again with the same words, it is no other wish.
    assert (await edit_comment(bob, track_id, said.comment.id, "second")).record == edited.record
    await _bob_signs_in(platform, bob_password, faulty)
    done = await bring(said.record.id)
    [record] = await _comments(platform, track.uri)
    assert faulty.calls[PUT] == 1
    assert (record["text"], record["uri"], record["cid"]) == ("second", done.uri, done.cid)
    async with database.reading() as session:
        args = list(await session.scalars(select(Run.args).where(Run.task == "write_record")))
    # No run carries the words: they are read when it runs.
    assert args == [{"record_id": done.id, "revision": revision} for revision in (1, 2)]
    await remove_comment(bob, track_id, said.comment.id)
    await bring(done.id)
    assert await _comments(platform, track.uri) == []


async def test_a_delete_before_the_create_writes_nothing(
    platform: NetworkServer, track_id: str, bob_password: str, faulty: FaultyPds
) -> None:
    bob, track = platform.bob.did, await get_publication(track_id)
    said = await add_comment(bob, track_id, "never mind", 0)
    removed = await remove_comment(bob, track_id, said.comment.id)
    assert removed is not None
    assert removed.revision == 2
    await _bob_signs_in(platform, bob_password, faulty)
    assert (await bring(_record_id(said))).state == RecordState.DELETED
    assert (faulty.calls[PUT], faulty.calls[DELETE], await _comments(platform, track.uri)) == (0, 1, [])
    with pytest.raises(NotFound):
        await edit_comment(bob, track_id, said.comment.id, "too late")


async def test_the_owner_hides_and_the_record_stays(platform: NetworkServer, track_id: str, bob_password: str) -> None:
    alice, bob, track = platform.alice.did, platform.bob.did, await get_publication(track_id)
    await sign_in("bob.test", bob_password, HERE)
    said = await add_comment(bob, track_id, "boo", 0)
    await bring(_record_id(said))
    for stranger in ("did:plc:carol", "did:plc:dave"):
        with pytest.raises(Forbidden, match="who wrote it"):
            await remove_comment(stranger, track_id, said.comment.id)
    for _ in range(2):
        assert await remove_comment(alice, track_id, said.comment.id) is None
    assert await list_comments(track_id) == []
    found = await show_comment(bob, track_id, said.comment.id)
    assert (found.hidden, found.record and found.record.state) == (True, RecordState.WRITTEN)
    assert [record["text"] for record in await _comments(platform, track.uri)] == ["boo"]
    # It is still his to edit and to delete.
    await edit_comment(bob, track_id, said.comment.id, "boo!")
    await bring(_record_id(said))
    assert [record["text"] for record in await _comments(platform, track.uri)] == ["boo!"]
    assert await list_comments(track_id) == []
    await remove_comment(bob, track_id, said.comment.id)
    await bring(_record_id(said))
    assert await _comments(platform, track.uri) == []
    again = await add_comment(bob, track_id, "yay", 0)
    assert await remove_comment("did:plc:admin", track_id, again.comment.id, admin=True) is None


async def test_a_track_takes_only_so_many(
    platform: NetworkServer, track_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, COMMENTS_PER_TRACK="3")
    tries = [add_comment(f"did:plc:fan{number}", track_id, "me too", number) for number in range(6)]
    made = await asyncio.gather(*tries, return_exceptions=True)
    kept = [each.comment for each in made if isinstance(each, CommentView)]
    assert len(kept) == 3
    assert {str(each) for each in made if isinstance(each, BacklineError)} == {
        "the track has 3 comments, as many as it may: one must be removed first"
    }
    await remove_comment(platform.alice.did, track_id, kept[0].id)
    assert (await add_comment("did:plc:late", track_id, "and me", 1)).comment.text == "and me"
    everything = await list_comments(track_id)
    assert [line.id for line in everything] == sorted((line.id for line in everything), reverse=True)
    assert await list_comments(track_id, 2, everything[0].id) == everything[1:]
    assert await list_comments(track_id, 2) == everything[:2]


async def test_what_cannot_be_said(platform: NetworkServer, track_id: str) -> None:
    alice, bob = platform.alice.did, platform.bob.did
    for text, complaint in (
        ("", "text has at least 1 bytes"),
        (" \x00\n", "text has at least 1 bytes"),
        ("x" * 1001, "at most 1,000 characters, not 1,001"),
        ("👩‍👩‍👧" * 600, "at most 10,000 bytes"),
        ("\ud800", "half a character"),
    ):
        with pytest.raises(InvalidInput, match=complaint) as refused:
            await add_comment(bob, track_id, text, 0)
        assert refused.value.field == "text"
    assert (await add_comment(bob, track_id, "👩‍👩‍👧" * 500, 210_600)).comment.timestamp_ms == 210_600
    with pytest.raises(InvalidInput, match="210,600 ms long"):
        await add_comment(bob, track_id, "later", 210_601)
    with pytest.raises(NotFound):
        await add_comment(bob, "no such track", "hello", 0)
    with pytest.raises(Conflict, match="not published"):
        await add_comment(bob, await ready_track(alice), "hello", 0)
    [said] = await list_comments(track_id)
    with pytest.raises(InvalidInput, match="at least 1 bytes"):
        await edit_comment(bob, track_id, said.id, "")
    for stranger in (alice, "did:plc:carol"):
        with pytest.raises(Forbidden, match="somebody else's"):
            await edit_comment(stranger, track_id, said.id, "mine now")
    with pytest.raises(NotFound):
        await remove_comment(bob, await ready_track(alice), said.id)
    assert await list_comments(track_id) == [said]


async def test_an_artist_who_wants_none(platform: NetworkServer, track_id: str) -> None:
    said = await add_comment(platform.bob.did, track_id, "hello", 0)
    await change_preferences(platform.alice.did, allow_comments=False)
    with pytest.raises(Forbidden, match="takes no comments"):
        await add_comment(platform.bob.did, track_id, "hello?", 0)
    assert await list_comments(track_id) == [said.comment]
    # A track that is published no more can still have its comments edited: what they are about stays.
    await withdraw_publication(track_id)
    assert (await edit_comment(platform.bob.did, track_id, said.comment.id, "bye")).comment.text == "bye"
    await change_preferences(platform.alice.did, allow_comments=True)
    with pytest.raises(Conflict, match="not published"):
        await add_comment(platform.bob.did, track_id, "hello?", 0)
