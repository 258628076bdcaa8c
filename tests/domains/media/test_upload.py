"""An upload is there whole, with its rows and its first run, or it is not there at all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from backend.db.models.media import Asset, Track, TrackVersion, VersionStatus
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.domains.media.upload import store_upload
from backend.errors import InvalidInput, TooLarge, UnsupportedMedia
from backend.storage import Bucket, ObjectKey, Storage, storage
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import sent, upload


async def nothing_is_left(database: Database) -> None:
    for bucket in Bucket:
        assert [info async for info in storage().list(bucket)] == []
    async with database.reading() as session:
        for model in (Track, TrackVersion, Asset, Run):
            assert await session.scalar(select(func.count()).select_from(model)) == 0


async def test_an_upload_is_stored_noted_and_enqueued(database: Database, store: Storage, tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "Blue Hour.flac", 0.5)
    made = await store_upload(sent(file, 1000), file.name, artist="Nina")
    data = file.read_bytes()
    async with database.reading() as session:
        track, version = await session.get(Track, made.track_id), await session.get(TrackVersion, made.version_id)
        run = await session.get(Run, made.run_id)
        assert track
        assert version
        assert run
        asset = await session.get(Asset, version.original_asset_id)
        assert asset
    assert (track.title, track.artist, version.status) == ("Blue Hour", "Nina", VersionStatus.PENDING)
    assert (asset.filename, asset.mime, asset.bucket) == ("Blue Hour.flac", "audio/flac", "private")
    assert (asset.size_bytes, asset.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert await store.read(ObjectKey(Bucket.PRIVATE, asset.key)) == data
    assert (run.task, run.args, run.state) == ("ingest_upload", {"version_id": made.version_id}, "waiting")


@pytest.mark.parametrize("suffix", audio.CODECS)
async def test_the_kind_comes_from_the_bytes(
    sqlite_database: Database, store: Storage, tmp_path: Path, suffix: str
) -> None:
    file = audio.tone(tmp_path / f"a{suffix}", 0.2).rename(tmp_path / "a.txt")
    await upload(file)
    [info] = [info async for info in store.list(Bucket.PRIVATE)]
    assert info.key.suffix == suffix


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/cron.d/x.wav",
        "/etc/passwd",
        "a\x00b.wav",
        "$(reboot).wav",
        "'; DROP TABLE tracks; --",
        "\ud800.wav",
        "x" * 3000,
        "\u202eevil",
        None,
    ],
)
async def test_a_name_is_never_a_path(database: Database, store: Storage, tmp_path: Path, name: str | None) -> None:
    made = await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.1)), name)
    [info] = [info async for info in store.list(Bucket.PRIVATE)]
    assert info.key.path == f"originals/{made.version_id}.wav"
    async with database.reading() as session:
        track = await session.get(Track, made.track_id)
    assert track
    assert track.title


@pytest.mark.parametrize("make", [audio.text, audio.picture])
async def test_what_is_not_sound_is_refused_before_it_is_stored(
    sqlite_database: Database, store: Storage, tmp_path: Path, make: object
) -> None:
    assert callable(make)
    with pytest.raises(UnsupportedMedia) as refused:
        await upload(make(tmp_path / "a.mp3"))
    assert refused.value.field == "file"
    await nothing_is_left(sqlite_database)


async def test_no_bytes_are_no_upload(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the file is empty") as refused:
        await upload(audio.empty(tmp_path / "a.wav"))
    assert refused.value.field == "file"
    await nothing_is_left(sqlite_database)


async def test_the_limit_is_exact(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, UPLOAD_LIMIT_MB="1")
    file = audio.tone(tmp_path / "a.wav", 8)
    data = file.read_bytes()
    file.write_bytes(data[:1_000_001])
    with pytest.raises(TooLarge, match="larger than 1 MB") as refused:
        await upload(file)
    assert refused.value.field == "file"
    await nothing_is_left(sqlite_database)
    file.write_bytes(data[:1_000_000])
    await upload(file)


async def test_a_sender_that_breaks_off_leaves_nothing(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        async for chunk in sent(audio.tone(tmp_path / "a.wav", 4.0)):
            yield chunk
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await store_upload(breaks(), "a.wav")
    await nothing_is_left(sqlite_database)


async def test_a_cancelled_upload_leaves_nothing(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    half = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        async for chunk in sent(audio.tone(tmp_path / "a.wav", 4.0)):
            yield chunk
        half.set()
        await asyncio.Event().wait()

    uploading = asyncio.create_task(store_upload(stalls(), "a.wav"))
    await half.wait()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    await nothing_is_left(sqlite_database)


async def test_rows_that_cannot_be_written_take_the_bytes_with_them(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    async with unit_of_work() as unit:
        await unit.connection.exec_driver_sql("ALTER TABLE assets RENAME TO away")
    with pytest.raises(DBAPIError, match="assets"):
        await upload(audio.tone(tmp_path / "a.wav", 0.1))
    assert [info async for info in store.list(Bucket.PRIVATE)] == []


async def test_a_run_that_cannot_be_enqueued_takes_all_with_it(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    async with unit_of_work() as unit:
        await unit.connection.exec_driver_sql("ALTER TABLE runs RENAME TO away")
    with pytest.raises(DBAPIError, match="runs"):
        await upload(audio.tone(tmp_path / "a.wav", 0.1))
    async with unit_of_work() as unit:
        await unit.connection.exec_driver_sql("ALTER TABLE away RENAME TO runs")
    await nothing_is_left(database)


async def test_bytes_do_not_come_in_inside_a_transaction(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.1)
    with pytest.raises(RuntimeError, match="unit of work"):
        async with unit_of_work():
            await upload(file)
    await nothing_is_left(sqlite_database)


async def test_two_uploads_of_one_file_are_two_tracks(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.1)
    first, second = await asyncio.gather(upload(file), upload(file))
    assert first.track_id != second.track_id
    assert len([info async for info in store.list(Bucket.PRIVATE)]) == 2
