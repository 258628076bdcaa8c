"""A stream is whole, plays, and its version says where it stands."""

import asyncio
import math
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.adapters.ffmpeg import FfmpegFailed
from backend.adapters.probe import probe
from backend.db.models.media import Asset, TrackVersion, Transcode, VersionStatus
from backend.db.session import Database
from backend.domains.media.formats import StreamFormat
from backend.domains.media.meter import Meter
from backend.domains.media.plan import plan_streams
from backend.domains.media.transcode import make_streams, transcode_version
from backend.errors import Conflict, InvalidInput
from backend.storage import Bucket, Storage
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary, as_attempt, broken_ffmpeg, ingested, upload, version_of
from tests.domains.media.player import decoded_seconds, fetched, joined, stream_of

OPUS = [StreamFormat.HLS_OPUS]


async def test_s05_the_stream_holds_the_whole_sound(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.wav", 40.0))  # seven segments; the default keeps five
    assert await transcode_version(made.version_id, OPUS) == {
        "segments": {"hls_opus": 7},
        "skipped": {},
        "beside": {},
    }
    playlist = await fetched(store, made, tmp_path / "player")
    text = (tmp_path / "player" / "playlist.m3u8").read_text()
    assert "#EXT-X-MEDIA-SEQUENCE:0" in text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert text.rstrip().endswith("#EXT-X-ENDLIST")
    assert playlist.files == ["init.mp4", *(f"segment_{index:03d}.m4s" for index in range(7))]
    assert playlist.duration_s == pytest.approx(40.0, abs=0.05)
    assert decoded_seconds(tmp_path / "player") == pytest.approx(40.0, abs=0.05)
    size = sum((tmp_path / "player" / name).stat().st_size for name in playlist.files)
    assert 80_000 < size * 8 / 40 < 190_000  # 160 kbit/s at most; both channels are alike, so it needs less
    stream, version = await stream_of(database, made), await version_of(made)
    assert (stream.status, stream.segment_prefix_key) == ("ready", f"{made.version_id}/hls_opus/")
    assert (version.status, version.error) == (VersionStatus.READY, None)
    async with database.reading() as session:
        asset = await session.get(Asset, stream.playlist_asset_id)
    assert asset
    assert (asset.key, asset.mime) == (f"{made.version_id}/hls_opus/playlist.m3u8", "application/vnd.apple.mpegurl")
    assert temporary.left() == []


@pytest.mark.parametrize("seconds", [6.5, 12.0, 17.99])
async def test_s44_no_segment_is_longer_than_the_playlist_promises(
    sqlite_database: Database, store: Storage, tmp_path: Path, seconds: float
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", seconds))
    await transcode_version(made.version_id, OPUS)
    playlist = await fetched(store, made, tmp_path / "player")
    durations = [duration for _, duration in playlist.segments]
    assert playlist.target_s >= math.ceil(max(durations))
    # Opus has frames of 20 ms, so a segment is not exactly six seconds long.
    assert all(duration == pytest.approx(6.0, abs=0.03) for duration in durations[:-1])


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a"])
async def test_s06_a_cover_does_not_come_into_the_stream(
    sqlite_database: Database, store: Storage, tmp_path: Path, name: str
) -> None:
    made = await ingested(audio.with_cover(tmp_path / name, 1.0))
    await transcode_version(made.version_id, OPUS)
    await fetched(store, made, tmp_path / "player")
    init = (tmp_path / "player" / "init.mp4").read_bytes()
    assert init.count(b"trak") == 1
    assert b"Opus" in init
    assert b"vide" not in init


@pytest.mark.parametrize("suffix", audio.CODECS)
async def test_every_kind_becomes_a_stream(
    sqlite_database: Database, store: Storage, tmp_path: Path, suffix: str
) -> None:
    made = await ingested(audio.tone(tmp_path / f"a{suffix}", 1.0, channels=1))
    await transcode_version(made.version_id, OPUS)
    await fetched(store, made, tmp_path / "player")
    assert decoded_seconds(tmp_path / "player") == pytest.approx(1.0, abs=0.06)


async def test_six_channels_become_two(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    audio.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-ac", "6", tmp_path / "a.wav")
    made = await ingested(tmp_path / "a.wav")
    await transcode_version(made.version_id, OPUS)
    playlist = await fetched(store, made, tmp_path / "player")
    assert (await probe(joined(tmp_path / "player", playlist))).channels == 2


async def test_s07_progress_never_goes_back_and_ends_at_the_end(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.flac", 20.0))
    seen: list[tuple[float, float, str]] = []

    async def note(done: float, total: float, message: str) -> None:
        seen.append((done, total, message))

    await make_streams(await plan_streams(made.version_id, OPUS), note)
    done = [each for each, _, _ in seen]
    assert done == sorted(done)
    assert 0 <= done[0] <= done[-1] <= 20.0
    assert done[-1] == pytest.approx(20.0, abs=0.1)
    assert {(total, message) for _, total, message in seen} == {(20.0, "making hls_opus")}


async def test_s07_a_meter_takes_no_step_back() -> None:
    seen: list[float] = []

    async def note(done: float, total: float, message: str) -> None:
        seen.append(done / total)

    meter = Meter(note, 10.0, ["hls_opus", "hls_aac"])
    opus, aac = meter.of("hls_opus"), meter.of("hls_aac")
    for listener, seconds in ((opus, 0.0), (aac, 4.0), (opus, 2.0), (aac, 3.0), (opus, 11.0), (aac, 10.0)):
        await listener(seconds)
    assert seen == [0.0, 0.2, 0.3, 0.3, 0.7, 1.0]


async def test_s11_tracks_side_by_side_do_not_meet(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = [await ingested(audio.tone(tmp_path / f"{index}.wav", 1.0 + index)) for index in range(3)]
    await asyncio.gather(*(transcode_version(each.version_id, OPUS) for each in [*made, *made]))
    for index, each in enumerate(made):
        playlist = await fetched(store, each, tmp_path / f"player{index}")
        assert playlist.duration_s == pytest.approx(1.0 + index, abs=0.05)
    assert temporary.left() == []


async def test_s12_failed_is_the_end_of_the_last_attempt_only(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path))
    for attempt, status in ((1, "pending"), (2, "pending"), (3, "failed")):
        with pytest.raises(FfmpegFailed, match="it broke"):
            await as_attempt(attempt, lambda: transcode_version(made.version_id, OPUS))
        assert ((await version_of(made)).status, (await stream_of(database, made)).status) == (status, status)
    assert "it broke" in ((await stream_of(database, made)).error or "")
    assert temporary.left() == []
    set_environment(monkeypatch, FFMPEG_PATH=None)
    await as_attempt(1, lambda: transcode_version(made.version_id, OPUS))
    version, stream = await version_of(made), await stream_of(database, made)
    assert (version.status, version.error, stream.status, stream.error) == ("ready", None, "ready", None)


async def test_s12_what_plays_goes_on_playing_when_it_is_made_again(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    await transcode_version(made.version_id, OPUS)
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path))
    with pytest.raises(FfmpegFailed):
        await as_attempt(3, lambda: transcode_version(made.version_id, OPUS))
    assert (await version_of(made)).status == "ready"
    assert (await stream_of(sqlite_database, made)).status == "ready"
    await fetched(store, made, tmp_path / "player")
    assert decoded_seconds(tmp_path / "player") == pytest.approx(1.0, abs=0.05)


async def test_s13_made_twice_it_is_there_once(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 7.0))
    for _ in range(2):
        await transcode_version(made.version_id, OPUS)
    async with database.reading() as session:
        assert len((await session.scalars(select(Transcode))).all()) == 1
        assert len((await session.scalars(select(Asset).where(Asset.bucket == "public"))).all()) == 1


async def test_s13_no_old_segment_stays_behind(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 7.0))
    set_environment(monkeypatch, HLS_SEGMENT_S="1")
    await transcode_version(made.version_id, OPUS)
    assert len([info async for info in store.list(Bucket.PUBLIC)]) > 8
    set_environment(monkeypatch, HLS_SEGMENT_S=None)
    await transcode_version(made.version_id, OPUS)
    playlist = await fetched(store, made, tmp_path / "player")
    assert sorted(path.name for path in (tmp_path / "player").iterdir()) == sorted([*playlist.files, "playlist.m3u8"])
    assert len(playlist.segments) == 2


@pytest.mark.parametrize("formats", [["hls_opus", "hls_mp3"], []])
async def test_s14_formats_are_checked_before_anything_happens(
    sqlite_database: Database, store: Storage, tmp_path: Path, formats: list[StreamFormat]
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 0.5))
    before = (await version_of(made)).status
    with pytest.raises(InvalidInput) as refused:
        await transcode_version(made.version_id, formats)
    assert refused.value.field == "formats"
    assert (await version_of(made)).status == before
    assert [info async for info in store.list(Bucket.PUBLIC)] == []
    async with sqlite_database.reading() as session:
        assert (await session.scalars(select(Transcode))).all() == []


async def test_a_version_that_was_not_ingested_is_a_conflict(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    with pytest.raises(Conflict, match="ingest_upload"):
        await transcode_version(made.version_id, OPUS)


async def test_a_cancelled_transcode_leaves_nothing(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path, "touch started; sleep 60"))
    running = asyncio.create_task(transcode_version(made.version_id, OPUS))
    for _ in range(500):
        if any(name.endswith("started") for name in temporary.left()):
            break
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert temporary.left() == []
    assert [info async for info in store.list(Bucket.PUBLIC)] == []
    assert (await version_of(made)).status == VersionStatus.FAILED  # outside of the runner nothing follows


async def test_another_version_of_the_row_is_not_touched(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    first, second = [await ingested(audio.tone(tmp_path / f"{index}.wav", 0.5)) for index in range(2)]
    await transcode_version(first.version_id, OPUS)
    async with sqlite_database.reading() as session:
        statuses = dict((await session.execute(select(TrackVersion.id, TrackVersion.status))).tuples().all())
    assert statuses == {first.version_id: "ready", second.version_id: "pending"}
