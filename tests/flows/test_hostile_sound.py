"""Files that want to break the crew go through the queue: they play, or their run says what is wrong with them."""

import re
import struct
from pathlib import Path

import av
import pytest

from backend.domains.media.playlist import read_playlist
from backend.domains.media.tracks import TrackView, stream_object
from backend.domains.media.upload import Upload
from backend.storage import Bucket, Storage
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary
from tests.flows.stage import CREW, house, runs_until, settled, upload

HOSTILE = (
    "'; rm -rf / #\"$(touch owned)`touch owned`\n[info] I: -3.0 LUFS\r\n../../../etc/passwd %s %n Ελλάδα 東京 \u202egnp"
)

pytestmark = pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)


@pytest.fixture(autouse=True)
def quick(engine_mode: str, sqlite_url: str, temporary: Temporary, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")


def eight_channels(directory: Path) -> Path:
    return audio.noise(directory / "eight.wav", 2.0, rate=48000, channels=8)


def studio_rate(directory: Path) -> Path:
    return audio.noise(directory / "192 kHz.flac", 2.0, rate=192_000)


def one_second(directory: Path) -> Path:
    return audio.tone(directory / "second.flac", 1.0)


def hostile_name(directory: Path) -> Path:
    return audio.tone(directory / "a.wav", 1.0).rename(directory / "'; rm -rf $HOME; \n .. \u202e 東京 %03d.wav")


def hostile_tags(directory: Path) -> Path:
    file = directory / "tags.mp3"
    plain = audio.tone(directory / "plain.mp3", 1.0)
    tags = [part for name in ("title", "artist", "comment", "encoder") for part in ("-metadata", f"{name}={HOSTILE}")]
    audio.ffmpeg("-i", plain, "-c", "copy", *tags, file)
    return file


def tags_without_end(directory: Path) -> Path:
    file = directory / "long.flac"
    plain = audio.tone(directory / "plain.flac", 1.0)
    (directory / "meta.txt").write_text(";FFMETADATA1\ntitle=" + "x" * 1_000_000 + "\n")
    audio.ffmpeg("-i", plain, "-i", directory / "meta.txt", "-map_metadata", "1", "-c", "copy", file)
    return file


@pytest.mark.parametrize(
    "make", [eight_channels, studio_rate, one_second, hostile_name, hostile_tags, tags_without_end]
)
async def test_what_is_odd_and_whole_plays(
    engine_mode: str, tmp_path: Path, temporary: Temporary, make: object
) -> None:
    assert callable(make)
    async with house() as store:
        made = await upload(make(tmp_path))
        await runs_until(dict.fromkeys(CREW, "succeeded"))
        track = await settled(made, "ready")
        for stream in track.version.streams:
            assert stream.status == "ready", stream.error
            await _plays(store, made, stream.format, tmp_path, track)
    assert track.version.waveform
    assert track.version.loudness
    assert temporary.left() == []
    assert not (tmp_path / "owned").exists()


async def _plays(store: Storage, made: Upload, format: str, tmp_path: Path, track: TrackView) -> None:
    playlist = read_playlist((await store.read(await stream_object(made.track_id, format))).decode())
    file = tmp_path / f"{format}.mp4"
    parts = [await store.read(await stream_object(made.track_id, format, name)) for name in playlist.files]
    file.write_bytes(b"".join(parts))
    with av.open(str(file)) as container:
        [stream] = container.streams
        assert stream.type == "audio"
        assert container.metadata.get("title") is None
        samples = sum(frame.samples for frame in container.decode(stream))
    assert samples / 48000 == pytest.approx(track.version.duration_s, abs=0.1)


def words_behind_a_tag(directory: Path) -> Path:
    file = directory / "letter.mp3"
    file.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"This is a letter, and no music at all.\n" * 200)
    return file


def header_alone(directory: Path) -> Path:
    file = directory / "nothing.wav"
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    file.write_bytes(b"RIFF" + struct.pack("<I", 36) + b"WAVE" + form + b"data" + struct.pack("<I", 0))
    return file


def cut_in_the_middle(directory: Path) -> Path:
    return audio.truncated(directory / "half.m4a", 0.6, 3.0)


def moving_pictures_alone(directory: Path) -> Path:
    file = directory / "silent film.m4a"
    audio.ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-c:v", "mpeg4", "-f", "mp4", "-brand", "M4A ", file
    )
    return file


def noise_after_the_header(directory: Path) -> Path:
    file = audio.noise(directory / "noise.flac", 2.0)
    data = bytearray(file.read_bytes())
    data[200:] = bytes((7 * i * i + 13 * i) & 0xFF for i in range(len(data) - 200))
    file.write_bytes(bytes(data))
    return file


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (words_behind_a_tag, r"damaged|no sound"),
        (header_alone, "holds no sound"),
        (cut_in_the_middle, "cut short or damaged"),
        (moving_pictures_alone, "no sound"),
        (noise_after_the_header, "cut short or damaged"),
    ],
)
async def test_what_is_no_sound_ends_at_ingest_with_its_reason(
    engine_mode: str, tmp_path: Path, temporary: Temporary, make: object, reason: str
) -> None:
    assert callable(make)
    async with house() as store:
        made = await upload(make(tmp_path))
        found = await runs_until({"ingest_upload": "dead"})
        track = await settled(made, "failed")
        public = [info async for info in store.list(Bucket.PUBLIC)]
    assert not found.keys() & set(CREW[1:])
    assert found["ingest_upload"].attempt == 1
    assert re.search(reason, found["ingest_upload"].error or "")
    assert re.search(reason, track.version.error or "")
    assert public == []
    assert temporary.left() == []


@pytest.mark.timeout(600)
async def test_three_hours_of_silence_have_no_loudness(engine_mode: str, tmp_path: Path, temporary: Temporary) -> None:
    file = tmp_path / "silence.flac"
    # Few samples a second: what is tested is the length.
    graph = "anullsrc=sample_rate=8000:channel_layout=mono:duration=10800"
    audio.encode(file, graph, "-frame_size", "16384")
    async with house():
        made = await upload(file)
        await runs_until(dict.fromkeys(CREW, "succeeded"), 500)
        track = await settled(made, "ready")
    assert track.version.duration_s == pytest.approx(10800, abs=0.1)
    loudness = track.version.loudness
    assert loudness
    assert (loudness.integrated_lufs, loudness.range_lu, loudness.true_peak_dbtp) == (None, None, None)
    assert loudness.note
    assert temporary.left() == []
