"""Several formats of one version: each by itself, none in the way of another, and lossless only where it is true."""

import asyncio
import math
import time
from pathlib import Path

import av
import pytest

from backend.adapters.ffmpeg import FfmpegFailed
from backend.db.models.media import Track, VersionStatus
from backend.db.session import Database, unit_of_work
from backend.domains.media.extras import Extra
from backend.domains.media.formats import StreamFormat
from backend.domains.media.ingest import inspect_original
from backend.domains.media.loudness import analyse_loudness
from backend.domains.media.plan import default_formats
from backend.domains.media.tracks import get_track, stream_object
from backend.domains.media.transcode import transcode_version
from backend.domains.media.upload import Upload, store_upload
from backend.domains.media.waveform import draw_waveform
from backend.errors import InvalidInput, NotFound
from backend.storage import Bucket, ObjectKey, OpenObject, Storage, master_key, use_storage, waveform_key
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary, as_attempt, broken_ffmpeg, ingested, sent, version_of
from tests.domains.media.player import decoded, decoded_seconds, fetched, joined, stream_of

OPUS, AAC, ALAC = StreamFormat.HLS_OPUS, StreamFormat.HLS_AAC, StreamFormat.HLS_ALAC
ARTIST = "did:plc:artist"


async def by_artist(file: Path, did: str | None = ARTIST) -> Upload:
    """An ingested upload that belongs to an account."""
    made = await store_upload(sent(file), file.name, artist_did=did)
    await inspect_original(made.version_id)
    return made


def failing_encoder(tmp_path: Path, encoder: str) -> str:
    """An ffmpeg that works, but for one encoder."""
    body = f'case " $* " in *" {encoder} "*) echo "[error] no {encoder} today" >&2; exit 1;; esac; exec {audio.ffmpeg_program()} "$@"'
    return broken_ffmpeg(tmp_path, body)


def begun(sign: Path) -> None:
    """Wait until somebody left this file."""
    while not sign.exists():
        time.sleep(0.01)


@pytest.mark.parametrize(("rate", "channels", "expected"), [(44100, 2, 44100), (192000, 1, 48000), (88200, 6, 44100)])
async def test_s06_s44_aac_has_one_sound_and_keeps_its_promise(
    sqlite_database: Database, store: Storage, tmp_path: Path, rate: int, channels: int, expected: int
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.flac", 13.0, rate=rate, channels=channels))
    assert await transcode_version(made.version_id, [AAC]) == {
        "segments": {"hls_aac": 3},
        "skipped": {},
        "beside": {},
    }
    playlist = await fetched(store, made, tmp_path / "player", AAC)
    durations = [seconds for _, seconds in playlist.segments]
    assert playlist.target_s >= math.ceil(max(durations))
    # AAC has frames of 1024 samples, so a segment is not exactly six seconds long.
    assert all(seconds == pytest.approx(6.0, abs=1024 / expected + 0.001) for seconds in durations[:-1])
    assert decoded_seconds(tmp_path / "player") == pytest.approx(13.0, abs=0.06)
    with av.open(str(joined(tmp_path / "player", playlist))) as container:
        [stream] = container.streams
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", expected)
        assert stream.codec_context.channels == min(channels, 2)


@pytest.mark.parametrize(("suffix", "depth"), [(".wav", "s16"), (".flac", "s32")])
async def test_s45_alac_is_the_original_sample_by_sample(
    sqlite_database: Database,
    store: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    depth: str,
) -> None:
    set_environment(monkeypatch, ALAC_ARTISTS=f"did:web:other.example, {ARTIST}")
    codec = ("-c:a", "flac", "-bits_per_raw_sample", "24", "-sample_fmt", "s32") if depth == "s32" else ()
    file = tmp_path / f"a{suffix}"
    audio.ffmpeg("-f", "lavfi", "-i", "anoisesrc=color=pink:duration=7:seed=7", "-ac", "2", *codec, file)
    made = await by_artist(file)
    assert await default_formats(made.version_id) == [OPUS, AAC, ALAC]
    assert (await transcode_version(made.version_id, [ALAC]))["segments"] == {"hls_alac": 2}
    playlist = await fetched(store, made, tmp_path / "player", ALAC)
    whole = joined(tmp_path / "player", playlist)
    as_32_bits = ("-map", "0:a:0", "-c:a", "pcm_s32le", "-f", "s32le", "-")
    assert audio.ffmpeg("-i", whole, *as_32_bits) == audio.ffmpeg("-i", file, *as_32_bits)
    assert 'CODECS="alac"' in (await store.read(master_key(made.version_id))).decode()


@pytest.mark.parametrize(
    ("name", "did", "reason"),
    [
        ("a.mp3", ARTIST, "lossy"),
        ("a.flac", "did:plc:other", "did:plc:other is not in ALAC_ARTISTS"),
        ("a.flac", None, "a track without an account is not in ALAC_ARTISTS"),
    ],
)
async def test_s45_lossless_is_refused_with_its_reason_and_the_others_are_made(
    sqlite_database: Database,
    store: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    did: str | None,
    reason: str,
) -> None:
    set_environment(monkeypatch, ALAC_ARTISTS=ARTIST)
    made = await by_artist(audio.tone(tmp_path / name, 1.0), did)
    assert await default_formats(made.version_id) == [OPUS, AAC]
    with pytest.raises(InvalidInput, match=reason) as refused:
        await transcode_version(made.version_id, [ALAC])
    assert refused.value.field == "formats"
    assert (await version_of(made)).status == VersionStatus.PENDING
    result = await transcode_version(made.version_id, [ALAC, OPUS])
    assert list(result["skipped"]) == ["hls_alac"]  # type: ignore[call-overload]
    assert list(result["segments"]) == ["hls_opus"]  # type: ignore[call-overload]
    views = {view.format: view for view in (await get_track(made.track_id)).version.streams}
    assert (views["hls_alac"].status, views["hls_alac"].url) == ("skipped", None)
    assert reason in (views["hls_alac"].error or "")
    assert views["hls_opus"].status == "ready"
    with pytest.raises(NotFound, match="hls_alac"):
        await stream_object(made.track_id, "hls_alac")


@pytest.mark.parametrize(("encoder", "failing", "playing"), [("aac", AAC, OPUS), ("libopus", OPUS, AAC)])
async def test_s14_a_format_that_fails_stops_no_other(
    database: Database,
    store: Storage,
    temporary: Temporary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoder: str,
    failing: StreamFormat,
    playing: StreamFormat,
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    set_environment(monkeypatch, FFMPEG_PATH=failing_encoder(tmp_path, encoder))
    for attempt, status in ((1, "pending"), (3, "failed")):
        with pytest.raises(FfmpegFailed, match=f"no {encoder} today"):
            await as_attempt(attempt, lambda: transcode_version(made.version_id, [OPUS, AAC]))
        stream = await stream_of(database, made, failing)
        assert (stream.status, encoder in (stream.error or "")) == (status, True)
    assert (await version_of(made)).status == VersionStatus.READY
    await fetched(store, made, tmp_path / "player", playing)
    assert decoded_seconds(tmp_path / "player") == pytest.approx(1.0, abs=0.06)
    master = (await store.read(master_key(made.version_id))).decode()
    assert [playing in master, failing in master] == [True, False]
    assert [info async for info in store.list(Bucket.PUBLIC, f"{made.version_id}/{failing}")] == []
    assert temporary.left() == []
    set_environment(monkeypatch, FFMPEG_PATH=None)
    await transcode_version(made.version_id, [OPUS, AAC])
    stream = await stream_of(database, made, failing)
    assert (stream.status, stream.error) == ("ready", None)


async def test_s12_every_stream_goes_on_playing_while_it_is_made_again(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.wav", 2.0))
    await transcode_version(made.version_id, [OPUS, AAC])
    before = await fetched(store, made, tmp_path / "before", AAC)
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path, f"touch {tmp_path}/begun; sleep 60"))
    again = asyncio.create_task(transcode_version(made.version_id, [OPUS, AAC]))
    async with asyncio.timeout(20):
        await asyncio.to_thread(begun, tmp_path / "begun")
    assert (await version_of(made)).status == VersionStatus.READY
    assert {(await stream_of(sqlite_database, made, each)).status for each in (OPUS, AAC)} == {"ready"}
    assert await fetched(store, made, tmp_path / "meanwhile", AAC) == before
    assert decoded(tmp_path / "meanwhile") == decoded(tmp_path / "before")
    again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await again
    assert (await version_of(made)).status == VersionStatus.READY


async def test_a_track_without_an_owner_has_no_lossless_stream_by_default(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, ALAC_ARTISTS=ARTIST)
    made = await ingested(audio.tone(tmp_path / "a.flac", 0.5))
    assert await default_formats(made.version_id) == [OPUS, AAC]
    async with unit_of_work() as unit:
        track = await unit.session.get(Track, made.track_id)
        assert track
        track.artist_did = ARTIST
    assert await default_formats(made.version_id) == [OPUS, AAC, ALAC]


async def test_another_attempt_makes_only_what_the_one_before_did_not(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    set_environment(monkeypatch, FFMPEG_PATH=failing_encoder(tmp_path, "aac"))
    with pytest.raises(FfmpegFailed):
        await as_attempt(1, lambda: transcode_version(made.version_id, [OPUS, AAC]))
    set_environment(monkeypatch, FFMPEG_PATH=None)
    again = await as_attempt(2, lambda: transcode_version(made.version_id, [OPUS, AAC]))
    assert again["segments"] == {"hls_aac": 1}
    anew = await as_attempt(1, lambda: transcode_version(made.version_id, [OPUS, AAC]))
    assert anew["segments"] == {"hls_aac": 1, "hls_opus": 1}
    # What plays from before does not count as made when the run that made it starts again and fails.
    set_environment(monkeypatch, FFMPEG_PATH=failing_encoder(tmp_path, "libopus"))
    with pytest.raises(FfmpegFailed):
        await as_attempt(1, lambda: transcode_version(made.version_id, [OPUS, AAC]))
    set_environment(monkeypatch, FFMPEG_PATH=None)
    again = await as_attempt(2, lambda: transcode_version(made.version_id, [OPUS, AAC]))
    assert again["segments"] == {"hls_opus": 1}


class Counting(Storage):
    """A store that notes what is read from it."""

    def __init__(self, inner: Storage) -> None:
        vars(self).update(vars(inner))
        self.opened: list[str] = []

    async def open(self, key: ObjectKey, start: int = 0, end: int | None = None) -> OpenObject:
        """Note it, then open it."""
        self.opened.append(key.path)
        return await super().open(key, start, end)


async def test_everything_comes_from_one_download(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, ALAC_ARTISTS=ARTIST)
    made = await by_artist(audio.noise(tmp_path / "a.flac", 3.0))
    async with use_storage(Counting(store)) as counting:
        result = await transcode_version(made.version_id, [OPUS, AAC, ALAC], beside=list(Extra))
    assert [path for path in counting.opened if path.startswith("originals/")] == [f"originals/{made.version_id}.flac"]
    assert result == {
        "segments": {"hls_aac": 1, "hls_opus": 1, "hls_alac": 1},
        "skipped": {},
        "beside": dict.fromkeys(Extra, "done"),
    }
    version = (await get_track(made.track_id)).version
    assert version.waveform
    assert version.loudness
    beside = await store.read(waveform_key(made.version_id, ".dat"))
    await analyse_loudness(made.version_id)
    await draw_waveform(made.version_id)
    # By their own tasks they come out the same.
    assert (await get_track(made.track_id)).version.loudness == version.loudness
    assert await store.read(waveform_key(made.version_id, ".dat")) == beside
    assert temporary.left() == []
