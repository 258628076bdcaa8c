"""The worker is killed while it saves a track's audio, at each of its two writes. Another worker goes on."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from backend._internal.background import background
from backend._internal.background_tasks import schedule_save_audio
from backend.db.ids import new_id
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import database
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.records import RecordState
from backend.domains.federation.saved_audio import get_saved
from backend.runtime.queues import pause_queue, resume_queue
from backend.settings import get_settings
from backend.storage import Bucket, ObjectKey, open_storage, storage
from tests.conftest import set_environment
from tests.domains.federation.conftest import alice_signs_in, ready_track
from tests.domains.federation.sounds import Alices
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

UPLOAD, PUT = "com.atproto.repo.uploadBlob", "com.atproto.repo.putRecord"
WORKER = [sys.executable, "-m", "backend.worker"]


async def _stored(track_id: str, content: bytes) -> str:
    """Put the original of a track into storage. Returns its version."""
    async with database().reading() as session:
        track = await session.get_one(Track, track_id)
        version = await session.get_one(TrackVersion, track.current_version_id)
        asset = await session.get_one(Asset, version.original_asset_id)
    await storage().put(ObjectKey(Bucket(asset.bucket), asset.key), content)
    return version.id


@pytest.mark.parametrize("method", [UPLOAD, PUT])
async def test_a_worker_that_is_killed(
    method: str, platform: NetworkServer, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch,
    alice_password: str, faulty: FaultyPds, tmp_path: Path,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{new_id()}",
                    RUNNER_REDELIVERY_S="2", RUNNER_HEARTBEAT_S="0.3", RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.3",
                    OUTBOUND_TIMEOUT_S="20", WORKERS_ENABLED="0")  # fmt: skip
    content, log = b"fLaC\x00\x00\x00\x22" + new_id().encode() * 1000, (tmp_path / "worker.log").open("wb")
    async with open_storage(get_settings()), background(get_settings(), "api"):
        monkeypatch.delenv("WORKERS_ENABLED")
        await alice_signs_in(platform, alice_password, faulty)
        track_id = await ready_track(platform.alice.did)
        alice = Alices(platform, track_id, await _stored(track_id, content))
        await pause_queue("federation")
        await request_publication(track_id)
        await publish(track_id)
        await schedule_save_audio(track_id)
        first = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        faulty.plan(method, Fault(reached=True, hang_up=True, then=lambda: os.kill(first.pid, signal.SIGKILL)))
        await resume_queue("federation")
        assert await asyncio.wait_for(first.wait(), 60) == -signal.SIGKILL
        second = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(60):
                while True:
                    saved, state = await get_saved(track_id), (await get_publication(track_id)).state
                    if saved.blob and state == RecordState.WRITTEN:
                        break
                    await asyncio.sleep(0.05)
        finally:
            second.kill()
            await second.wait()
            log.close()
        assert (await alice.record())["audioBlob"] == saved.blob
        assert await alice.fetched() == content
    assert faulty.calls[UPLOAD] == (2 if method == UPLOAD else 1)
