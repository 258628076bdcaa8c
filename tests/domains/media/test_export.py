"""Exports through a live worker, on a directory and on S3: everything is in, or named with its reason."""

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from backend._internal.background import background
from backend.db.base import now
from backend.db.models.media import Export, Transcode, VersionStatus
from backend.db.session import unit_of_work
from backend.domains.media import exports
from backend.domains.media.export import remove_old_exports, schedule_export
from backend.domains.media.exports import ExportState, ExportView
from backend.domains.media.upload import Upload, store_upload
from backend.errors import Conflict, NotFound
from backend.runtime import queues
from backend.runtime.runs import get_run
from backend.settings import get_settings
from backend.storage import Bucket, Storage, export_key, hls_key, open_storage, original_key
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import sent
from tests.runtime.crew import ended
from tests.storage.conftest import moto, s3_settings  # noqa: F401

ALICE = "did:plc:alice"


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest) -> None:
    """Where objects are."""
    if request.param == "s3":
        request.getfixturevalue("s3_settings")


@pytest.fixture
async def crew(place: None, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Storage]:
    """A process with its worker and its storage."""
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL="memory://export", RUNNER_SHUTDOWN_GRACE_S="0.3")
    settings = get_settings()
    async with open_storage(settings) as store, background(settings, "worker"):
        await queues.pause_task("ingest_upload")
        yield store


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return audio.tone(tmp_path / "song.wav", 1.0)


async def _upload(song: Path, title: str, did: str | None = ALICE) -> Upload:
    return await store_upload(sent(song), song.name, title, artist_did=did)


async def _made(export: ExportView) -> ExportView:
    run = await ended(export.run_id or "")
    assert run.state == "succeeded", run.error
    return await exports.find_export(export.id)


async def _archive(store: Storage, export: ExportView) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(await store.read(export_key(export.id))))


async def test_an_artist_takes_everything_along(crew: Storage, song: Path) -> None:
    titles = ["A/B", "A-B", "../up", "東京"]
    made = [await _upload(song, title) for title in titles]
    await _upload(song, "Somebody else's", "did:plc:bob")
    asked = await exports.request_export(ALICE)
    assert asked.state == ExportState.PREPARING
    export = await _made(asked)
    assert (export.state, export.tracks, export.skipped) == (ExportState.READY, 4, 0)
    assert export.expires_at - now() > timedelta(days=6)
    run = await get_run(export.run_id or "")
    assert run.progress is not None
    assert run.progress["percent"] == 100
    archive, sound = await _archive(crew, export), await asyncio.to_thread(song.read_bytes)
    assert archive.testzip() is None
    assert archive.namelist() == ["A-B.wav", "A-B (2).wav", "-up.wav", "東京.wav", "manifest.json"]
    assert all(archive.read(name) == sound for name in archive.namelist()[:-1])
    told = json.loads(archive.read("manifest.json"))
    assert [each["track_id"] for each in told["tracks"]] == [upload.track_id for upload in made]
    assert {each["sha256"] for each in told["tracks"]} == {hashlib.sha256(sound).hexdigest()}
    assert (told["artist"], told["skipped"]) == (ALICE, [])
    assert (await exports.link_of(export)).partition("?")[0].endswith("tracks.zip")


async def test_what_is_missing_is_named_and_a_stream_stands_in(crew: Storage, song: Path) -> None:
    _, lost, streamed = [await _upload(song, title) for title in ("Whole", "Lost", "Streamed")]
    for gone in (lost, streamed):
        await crew.delete(original_key(gone.version_id, ".wav"))
    await _publish_stream(crew, streamed.version_id)
    export = await _made(await exports.request_export(ALICE))
    assert (export.tracks, export.skipped) == (2, 1)
    archive = await _archive(crew, export)
    assert archive.namelist() == ["Whole.wav", "Streamed.m4a", "manifest.json"]
    assert archive.read("Streamed.m4a") == b"init" + b"first" + b"second"
    told = json.loads(archive.read("manifest.json"))
    assert [(each["track_id"], each["title"]) for each in told["skipped"]] == [(lost.track_id, "Lost")]
    assert "original" in told["skipped"][0]["reason"]
    assert "hls_opus" in told["tracks"][1]["note"]
    assert told["tracks"][0]["note"] is None


async def _publish_stream(store: Storage, version_id: str) -> None:
    files = {"init.mp4": b"init", "segment_000.m4s": b"first", "segment_001.m4s": b"second"}
    files["playlist.m3u8"] = (
        b'#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.0,\nsegment_000.m4s\n'
        b"#EXTINF:1.0,\nsegment_001.m4s\n#EXT-X-ENDLIST\n"
    )
    for name, content in files.items():
        await store.put(hls_key(version_id, "hls_opus", name), content)
    async with unit_of_work() as unit:
        row = {"format": "hls_opus", "segment_prefix_key": f"{version_id}/hls_opus/", "status": VersionStatus.READY}
        unit.session.add(Transcode(track_version_id=version_id, **row))


async def test_a_second_request_gives_back_the_one_under_way(crew: Storage, song: Path) -> None:
    await _upload(song, "Song")
    await queues.pause_task("process_export")
    first, second = [await exports.request_export(ALICE) for _ in range(2)]
    assert (second.id, second.run_id) == (first.id, first.run_id)
    assert [each.id for each in await exports.list_exports(ALICE)] == [first.id]
    with pytest.raises(Conflict, match="preparing"):
        await exports.link_of(second)
    await queues.resume_task("process_export")
    await _made(first)
    assert (await exports.request_export(ALICE)).id != first.id


async def test_an_artist_without_tracks_has_nothing_to_export(crew: Storage) -> None:
    with pytest.raises(NotFound):
        await exports.request_export(ALICE)
    assert await exports.list_exports(ALICE) == []


async def test_one_that_is_removed_before_it_starts_leaves_nothing(crew: Storage, song: Path) -> None:
    await _upload(song, "Song")
    await queues.pause_task("process_export")
    export = await exports.request_export(ALICE)
    await exports.remove_export(export)
    await exports.remove_export(await exports.find_export(export.id))
    assert (await ended(export.run_id or "")).state == "cancelled"
    assert (await exports.find_export(export.id)).state == ExportState.GONE
    assert not await crew.exists(export_key(export.id))


async def test_one_that_nobody_knows_is_dead_at_once(crew: Storage) -> None:
    run = await ended((await schedule_export("0192a6b1-0000-7000-8000-000000000000", ALICE)).id)
    assert (run.state, run.attempt, run.error_type) == ("dead", 1, "NotFound")
    assert [info async for info in crew.list(Bucket.PRIVATE, "exports")] == []


async def test_archives_whose_time_is_over_are_removed(crew: Storage, song: Path) -> None:
    await _upload(song, "Song")
    old, new = [await _made(await exports.request_export(ALICE)) for _ in range(2)]
    async with unit_of_work() as unit:
        past = now() - timedelta(seconds=1)
        await unit.connection.execute(update(Export).where(Export.id == old.id).values(expires_at=past))
    assert (await exports.find_export(old.id)).state == ExportState.GONE
    assert await remove_old_exports() == {"removed": 1}
    assert await remove_old_exports() == {"removed": 0}
    assert [await crew.exists(export_key(each.id)) for each in (old, new)] == [False, True]
