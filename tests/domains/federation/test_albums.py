"""Albums: an artist's tracks in an order, and the list of it on the artist's server, written once for many changes."""

import asyncio
from typing import Any

import httpx
import pytest

from backend._internal.background import background
from backend.db.session import Database
from backend.domains.federation.albums import (
    album_list,
    create_album,
    get_album,
    list_albums,
    order_tracks,
    remove_album,
    rename_album,
)
from backend.domains.federation.lists import LIST_LIMIT, bring_album_list
from backend.domains.federation.publication import (
    get_publication,
    publish,
    request_publication,
    withdraw_publication,
)
from backend.domains.federation.records import RecordState, RecordView
from backend.domains.federation.writing import bring
from backend.errors import InvalidInput, NotFound
from backend.runtime.runs import RunFilter, list_runs
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import alice_signs_in, ready_track
from tests.domains.federation.kinds import published_track
from tests.network.faulty import FaultyPds
from tests.network.server import NetworkServer

PUT = "com.atproto.repo.putRecord"
ALICE = "did:plc:alice"


async def _there(platform: NetworkServer, record: RecordView) -> dict[str, Any] | None:
    """The list as anybody sees it; None when there is none."""
    _, _, repo, collection, rkey = record.uri.split("/")
    asked = {"repo": repo, "collection": collection, "rkey": rkey}
    async with httpx.AsyncClient(base_url=f"{platform.pds_url}/xrpc", timeout=30) as client:
        answer = await client.get("/com.atproto.repo.getRecord", params=asked)
    return answer.json()["value"] if answer.status_code == 200 else None


async def _items(platform: NetworkServer, album_id: str) -> list[str]:
    """The tracks' addresses in the album's list."""
    value = await _there(platform, await album_list(album_id))
    return [item["subject"]["uri"] for item in value["items"]] if value else []


async def _uri(track_id: str) -> str:
    return (await get_publication(track_id)).uri


async def _until(album_id: str, state: RecordState) -> RecordView:
    async with asyncio.timeout(60):
        while True:
            try:
                if (found := await album_list(album_id)).state == state:
                    return found
            except NotFound:
                pass
            await asyncio.sleep(0.05)


@pytest.fixture
async def alice(platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds) -> str:
    """alice's DID. She is signed in, and her server is reached through the proxy."""
    await alice_signs_in(platform, alice_password, faulty)
    return platform.alice.did


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_twelve_tracks_in_a_burst_write_the_list_once(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str,
    faulty: FaultyPds,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    async with background(get_settings(), "worker"):
        await alice_signs_in(platform, alice_password, faulty)
        tracks = [await ready_track(platform.alice.did, f"Track {number}") for number in range(12)]
        album = await create_album(platform.alice.did, "Twelve", tracks)
        for track_id in tracks:
            await request_publication(track_id)
        done = await _until(album.id, RecordState.WRITTEN)
        assert faulty.calls[f"{PUT} fm.backline.list"] == 1
        value = await _there(platform, done)
        assert value
        assert (value["name"], value["listType"], len(value["items"])) == ("Twelve", "album", 12)
        # And twelve changes of the album itself.
        for title in range(12):
            await rename_album(album.id, f"Twelve, take {title}")
        await _until(album.id, RecordState.WRITTEN)
        assert faulty.calls[f"{PUT} fm.backline.list"] == 2
        changed = await _there(platform, done)
        assert changed == {**value, "name": "Twelve, take 11"}


async def test_the_list_keeps_the_order_of_its_artist(alice: str, platform: NetworkServer, faulty: FaultyPds) -> None:
    first, second, third = [await published_track(alice) for _ in range(2)] + [await ready_track(alice)]
    album = await create_album(alice, "Order", [second, third, first])
    await bring_album_list(album.id)
    assert await _items(platform, album.id) == [await _uri(second), await _uri(first)]
    # A track that is published later joins at its place.
    await request_publication(third)
    await publish(third)
    await bring_album_list(album.id)
    assert await _items(platform, album.id) == [await _uri(each) for each in (second, third, first)]
    value = await _there(platform, await album_list(album.id))
    await order_tracks(album.id, [first, second, third])
    await bring_album_list(album.id)
    assert await _items(platform, album.id) == [await _uri(each) for each in (first, second, third)]
    later = await _there(platform, await album_list(album.id))
    assert value
    assert later
    assert later["createdAt"] == value["createdAt"]
    before = faulty.calls[PUT]
    assert await bring_album_list(album.id) is None
    assert faulty.calls[PUT] == before


async def test_a_list_without_a_published_track_is_taken_away(alice: str, platform: NetworkServer) -> None:
    track_id = await published_track(alice)
    album = await create_album(alice, "One", [track_id])
    await bring_album_list(album.id)
    assert len(await _items(platform, album.id)) == 1
    await withdraw_publication(track_id)
    await bring_album_list(album.id)
    assert (await album_list(album.id)).state == RecordState.DELETED
    assert await _items(platform, album.id) == []
    await request_publication(track_id)
    await publish(track_id)
    await bring_album_list(album.id)
    assert len(await _items(platform, album.id)) == 1
    await order_tracks(album.id, [])
    await bring_album_list(album.id)
    assert await _items(platform, album.id) == []


async def test_an_album_that_is_removed_takes_its_list_along(alice: str, platform: NetworkServer) -> None:
    track_id = await published_track(alice)
    album = await create_album(alice, "Gone", [track_id])
    await bring_album_list(album.id)
    record = await album_list(album.id)
    await remove_album(album.id)
    assert await bring_album_list(album.id) is None
    await bring(record.id)
    assert await _there(platform, record) is None
    with pytest.raises(NotFound):
        await get_album(album.id)
    [planned] = [run for run in await list_runs(RunFilter(task="write_record")) if run.args["record_id"] == record.id]
    assert planned.state == "waiting"


async def test_what_an_album_cannot_hold(database: Database) -> None:
    mine, other, nobodys = await ready_track(ALICE), await ready_track("did:plc:bob"), await ready_track(None)
    album = await create_album(ALICE, "Mine", [mine])
    for track_ids, words in (
        ([mine, other], f"{other}: no track of the album's artist"),
        ([nobodys], nobodys),
        (["none such"], "none such"),
        ([mine, mine], "more than once"),
        ([str(each) for each in range(LIST_LIMIT + 1)], "at most 500 tracks, these are 501: make several albums"),
    ):
        with pytest.raises(InvalidInput, match=words) as refused:
            await order_tracks(album.id, track_ids)
        assert refused.value.field == "track_ids"
    assert (await get_album(album.id)).track_ids == (mine,)
    for call in (get_album, remove_album, album_list):
        with pytest.raises(NotFound):
            await call("no such album")
    with pytest.raises(NotFound, match="has no list"):
        await album_list(album.id)


async def test_albums_are_listed_newest_first(database: Database) -> None:
    track_id = await ready_track(ALICE)
    first = await create_album(ALICE, "First", [track_id])
    second, bobs = await create_album(ALICE, "Second"), await create_album("did:plc:bob", "Bob's")
    assert [line.id for line in await list_albums()] == [bobs.id, second.id, first.id]
    assert [(line.title, line.tracks) for line in await list_albums(ALICE)] == [("Second", 0), ("First", 1)]
    assert [line.title for line in await list_albums(ALICE, 1, second.id)] == ["First"]


async def test_two_orders_at_once_leave_one_of_them(database: Database) -> None:
    tracks = [await ready_track(ALICE) for _ in range(3)]
    album = await create_album(ALICE, "Both", tracks)
    orders = [tracks, tracks[::-1], tracks[:2]]
    await asyncio.gather(*(order_tracks(album.id, order) for order in orders))
    assert list((await get_album(album.id)).track_ids) in orders
