"""A track is published on its artist's own server: by a live worker, once, and also when the worker is killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from atproto import AsyncClient
from sqlalchemy import delete, func, select, update

from backend._internal.background import background
from backend.db.ids import new_id
from backend.db.models.media import Track
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.domains.federation.publication import (
    forget_publication,
    get_publication,
    publish,
    request_publication,
    withdraw_publication,
)
from backend.domains.federation.records import RecordState, RecordView
from backend.domains.federation.writing import write_record
from backend.errors import Conflict, InvalidInput, NotFound
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import alice_signs_in, ready_track
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

PUT = "com.atproto.repo.putRecord"


async def _records(platform: NetworkServer, track_id: str) -> list[dict[str, object]]:
    """The records about a track, as another client sees them."""
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    asked = {"repo": platform.alice.did, "collection": "fm.backline.track", "limit": 100}
    found = [
        {"uri": record.uri, "cid": record.cid, **record.value.to_dict()}
        for record in (await client.com.atproto.repo.list_records(asked)).records
    ]
    await client.request.close()
    return [record for record in found if track_id in str(record.get("audioUrl"))]


async def _until(track_id: str, state: RecordState, patience_s: float = 60) -> RecordView:
    async with asyncio.timeout(patience_s):
        while (found := await get_publication(track_id)).state != state:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize("engine_mode", ["inline", "memory", "redis"], indirect=True)
async def test_a_track_is_published_changed_and_withdrawn(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3",
                    HTTP_PUBLIC_URL="https://music.example.com/")  # fmt: skip
    async with background(get_settings(), "api"):
        track_id = await ready_track(platform.alice.did)
        asked = await request_publication(track_id)
        assert (asked.record.state, asked.record.cid) == (RecordState.WAITING, None)
        await alice_signs_in(platform, alice_password)
        done = await _until(track_id, RecordState.WRITTEN)
        assert done.uri == asked.record.uri
        [record] = await _records(platform, track_id)
        created = record.pop("createdAt")
        assert record == {
            "uri": done.uri, "cid": done.cid, "$type": "fm.backline.track", "title": "Night Drive", "artist": "alice.test",
            "fileType": "flac", "duration": 211, "audioUrl": f"https://music.example.com/tracks/{track_id}/hls/master.m3u8",
        }  # fmt: skip
        async with unit_of_work() as unit:
            await unit.connection.execute(update(Track).values(title="Night Drive II", artist="Anna"))
        await request_publication(track_id)
        await _until(track_id, RecordState.WRITTEN)
        [record] = await _records(platform, track_id)
        assert (record["title"], record["artist"], record["createdAt"]) == ("Night Drive II", "Anna", created)
        assert (await withdraw_publication(track_id)).record.state in (RecordState.PENDING, RecordState.DELETED)
        await _until(track_id, RecordState.DELETED)
        assert await _records(platform, track_id) == []


WORKER = [sys.executable, "-m", "backend.worker"]


async def test_a_worker_that_is_killed_between_the_two_writes(
    platform: NetworkServer, redis_url: str, postgres_database: Database, monkeypatch: pytest.MonkeyPatch,
    alice_password: str, faulty: FaultyPds, tmp_path: Path,
) -> None:  # fmt: skip
    """The PDS has written the record, and the worker dies before it hears of it. Another worker takes over."""
    set_environment(monkeypatch, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{new_id()}", RUNNER_REDELIVERY_S="2",
                    RUNNER_HEARTBEAT_S="0.3", RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.3", OUTBOUND_TIMEOUT_S="20")  # fmt: skip
    await alice_signs_in(platform, alice_password, faulty)
    track_id = await ready_track(platform.alice.did)
    await request_publication(track_id)
    log = (tmp_path / "worker.log").open("wb")
    first = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
    faulty.plan(PUT, Fault(reached=True, hang_up=True, then=lambda: os.kill(first.pid, signal.SIGKILL)))
    assert await asyncio.wait_for(first.wait(), 60) == -signal.SIGKILL
    assert len(await _records(platform, track_id)) == 1
    assert (await get_publication(track_id)).state == RecordState.PENDING
    second = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
    try:
        done = await _until(track_id, RecordState.WRITTEN)
    finally:
        second.kill()
        await second.wait()
        log.close()
    [record] = await _records(platform, track_id)
    assert (record["cid"], record["uri"]) == (done.cid, done.uri)
    assert faulty.calls[PUT] == 2


async def test_it_is_asked_for_again_and_again(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    await alice_signs_in(platform, alice_password, faulty)
    track_id = await ready_track(platform.alice.did)
    asked = [await request_publication(track_id) for _ in range(3)]
    assert len({each.run_id for each in asked}) == 1
    first, again = await publish(track_id), await publish(track_id)
    assert (first.cid, first.state) == (again.cid, RecordState.WRITTEN)
    assert faulty.calls[PUT] == 1


async def test_what_cannot_be_published(platform: NetworkServer, database: Database) -> None:
    did = platform.alice.did
    for track_id, error, words in (
        ("no such track", NotFound, "no track"),
        (await ready_track(None), Conflict, "no account"),
        (await ready_track(did, status="pending"), Conflict, "once it plays"),
        (await ready_track(did, ""), InvalidInput, "title has at least"),
    ):
        with pytest.raises(error, match=words):
            await request_publication(track_id)
        with pytest.raises(NotFound, match="never published"):
            await get_publication(track_id)
    with pytest.raises(NotFound, match="never published"):
        await withdraw_publication(await ready_track(did))
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Run)) == 0


async def test_the_record_of_a_removed_track_goes_with_it(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    await alice_signs_in(platform, alice_password, faulty)
    track_id, unpublished = await ready_track(platform.alice.did), await ready_track(platform.alice.did)
    await request_publication(track_id)
    record = await publish(track_id)
    assert len(await _records(platform, track_id)) == 1
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(Track).where(Track.id.in_([track_id, unpublished])))
        await forget_publication(track_id)
        await forget_publication(unpublished)
    async with database.reading() as session:
        [write] = (await session.scalars(select(Run).where(Run.task == "write_record"))).all()
    assert write.args == {"record_id": record.id, "revision": 2}
    assert (await write_record(**write.args))["state"] == RecordState.DELETED
    assert await _records(platform, track_id) == []
