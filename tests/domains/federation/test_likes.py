"""Likes reach the listener's own server, also when minds change quickly."""

import asyncio
import time

import pytest
from atproto import AsyncClient

from backend._internal.background import background
from backend.db.session import Database
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.likes import LikeView, like, show_like, unlike
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.records import RecordState
from backend.errors import Conflict, NotFound
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, alice_signs_in, ready_track
from tests.network.server import NetworkServer


async def _published(platform: NetworkServer) -> str:
    track_id = await ready_track(platform.alice.did)
    await request_publication(track_id)
    await publish(track_id)
    return track_id


async def _likes(platform: NetworkServer, track_uri: str) -> list[dict[str, object]]:
    """bob's likes of a track, as another client sees them."""
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    asked = {"repo": platform.bob.did, "collection": "fm.backline.like", "limit": 100}
    found = [
        {"uri": record.uri, "cid": record.cid, **record.value.to_dict()}
        for record in (await client.com.atproto.repo.list_records(asked)).records
    ]
    await client.request.close()
    return [record for record in found if record["subject"]["uri"] == track_uri]  # type: ignore[index]


async def _until(did: str, track_id: str, state: RecordState) -> LikeView:
    async with asyncio.timeout(60):
        while True:
            found = await show_like(did, track_id)
            if found.record is not None and found.record.state == state:
                return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_like_unlike_like_in_one_second(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    bob = platform.bob.did
    async with background(get_settings(), "worker"):
        await alice_signs_in(platform, alice_password)
        await sign_in("bob.test", platform.app_password(platform.bob), HERE)
        track_id = await ready_track(platform.alice.did)
        await request_publication(track_id)
        async with asyncio.timeout(60):
            while (published := await get_publication(track_id)).state != RecordState.WRITTEN:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        began = time.monotonic()
        liked = await like(bob, track_id)
        assert (liked.liked, liked.likes) == (True, 1)
        assert not (await unlike(bob, track_id)).liked
        last = await like(bob, track_id)
        quick = time.monotonic() - began
        assert liked.record is not None
        assert last.record is not None
        assert (last.record.uri, last.record.revision) == (liked.record.uri, 3)
        done = await _until(bob, track_id, RecordState.WRITTEN)
        assert done.record is not None
        [record] = await _likes(platform, published.uri)
        assert (record["uri"], record["cid"]) == (done.record.uri, done.record.cid)
        assert record["subject"] == {"uri": published.uri, "cid": published.cid}
        await unlike(bob, track_id)
        await _until(bob, track_id, RecordState.DELETED)
        assert await _likes(platform, published.uri) == []
    assert quick < 30


async def test_liking_again_is_no_new_like(platform: NetworkServer, database: Database, alice_password: str) -> None:
    await alice_signs_in(platform, alice_password)
    track_id = await _published(platform)
    for _ in range(2):
        found = await like(platform.bob.did, track_id)
        assert (found.likes, found.record and found.record.revision) == (1, 1)
    assert (await like("did:plc:carol", track_id)).likes == 2
    for _ in range(2):
        found = await unlike(platform.bob.did, track_id)
        assert (found.likes, found.record and found.record.revision) == (1, 2)


async def test_what_cannot_be_liked(platform: NetworkServer, database: Database) -> None:
    with pytest.raises(NotFound):
        await like(platform.bob.did, "no such track")
    with pytest.raises(NotFound):
        await unlike(platform.bob.did, "no such track")
    track_id = await ready_track(platform.alice.did)
    with pytest.raises(Conflict, match="not published"):
        await like(platform.bob.did, track_id)
    await request_publication(track_id)
    with pytest.raises(Conflict, match="not published"):
        await like(platform.bob.did, track_id)
    assert (await show_like(platform.bob.did, track_id)).likes == 0
