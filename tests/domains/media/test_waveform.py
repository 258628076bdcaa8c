"""A waveform is what the audiowaveform program would make, of the whole sound, in little memory."""

import asyncio
import io
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from backend.db.models.media import Asset, Waveform
from backend.db.session import Database
from backend.domains.media.picture import HEIGHT, WAVE, WIDTH
from backend.domains.media.upload import Upload
from backend.domains.media.waveform import draw_waveform, make_waveform
from backend.errors import Conflict
from backend.storage import Storage, waveform_key
from tests import audio
from tests.domains.media.conftest import Temporary, ingested, upload
from tests.peaks.reader import read_peaks


async def data_of(store: Storage, made: Upload) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(await store.read(waveform_key(made.version_id, ".json")))
    return document


async def wave_of(store: Storage, made: Upload) -> Any:
    """The picture as rows and columns of True where the wave is."""
    image = Image.open(io.BytesIO(await store.read(waveform_key(made.version_id, ".png"))))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    return (np.array(image.convert("RGB")) == WAVE).all(axis=2)


def by_definition(file: Path, rate: int, channels: int) -> list[int]:
    """The same by the plainest code: mean of the channels, smallest and largest, divided by 256 towards zero."""
    pcm = audio.ffmpeg("-i", file, "-map", "0:a:0", "-ar", str(rate), "-ac", str(channels), "-f", "s16le", "-")
    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels).tolist()
    samples = [int(sum(frame) / channels) for frame in frames]
    points = [samples[start : start + rate // 20] for start in range(0, len(samples), rate // 20)]
    return [int(edge(point) / 256) for point in points for edge in (min, max)]


@pytest.mark.parametrize(("rate", "per_pixel"), [(48000, 2400), (44100, 2205), (22050, 1102), (8000, 400)])
async def test_s41_twenty_points_a_second_whatever_the_rate(
    sqlite_database: Database, store: Storage, tmp_path: Path, rate: int, per_pixel: int
) -> None:
    file = audio.noise(tmp_path / "a.wav", 2.0, rate=rate)
    made = await ingested(file)
    assert await draw_waveform(made.version_id) == {"points": -(-2 * rate // per_pixel)}
    document = await data_of(store, made)
    data = document.pop("data")
    assert document == {
        "version": 2,
        "channels": 1,
        "sample_rate": rate,
        "samples_per_pixel": per_pixel,
        "bits": 8,
        "length": len(data) // 2,
    }
    assert data == by_definition(file, rate, 2)
    assert min(data) < 0 < max(data)
    assert all(-128 <= value <= 127 for value in data)
    assert all(low <= high for low, high in zip(data[::2], data[1::2], strict=True))


async def test_s41_a_mix_of_opposite_channels_is_silent(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    audio.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-af", "pan=stereo|c0=c0|c1=-1*c0", tmp_path / "a.wav")
    made = await ingested(tmp_path / "a.wav")
    await make_waveform(made.version_id)
    assert set((await data_of(store, made))["data"]) == {0}


async def test_six_channels_are_one_waveform(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    audio.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-ac", "6", tmp_path / "a.wav")
    made = await ingested(tmp_path / "a.wav")
    await make_waveform(made.version_id)
    assert (await data_of(store, made))["data"] == by_definition(tmp_path / "a.wav", 44100, 6)


@pytest.mark.parametrize("seconds", [2.0, 150.0])
async def test_s42_the_picture_shows_the_whole_sound(
    sqlite_database: Database, store: Storage, tmp_path: Path, seconds: float
) -> None:
    graph = f"sine=sample_rate=8000:duration={seconds},volume='if(lt(t,{seconds / 2}),0,4)':eval=frame"
    made = await ingested(audio.encode(tmp_path / "a.wav", graph))
    await make_waveform(made.version_id)
    wave = await wave_of(store, made)
    heights = wave.sum(axis=0)
    edge = 40  # ffmpeg changes the volume from frame to frame
    assert (heights[: WIDTH // 2 - edge] == 1).all()
    assert (heights[WIDTH // 2 + edge :] > HEIGHT / 4).all()


async def test_silence_is_a_line(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.silence(tmp_path / "a.wav", 1.0))
    await make_waveform(made.version_id)
    assert set((await data_of(store, made))["data"]) == {0}
    assert (await wave_of(store, made)).sum() == WIDTH


async def test_a_moment_of_sound_has_a_waveform(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 0.01))
    assert await make_waveform(made.version_id) == 1
    assert (await wave_of(store, made)).any(axis=0).all()


@pytest.mark.parametrize("name", ["a.mp3", "a.flac"])
async def test_s06_a_cover_is_no_sound(sqlite_database: Database, store: Storage, tmp_path: Path, name: str) -> None:
    made = await ingested(audio.with_cover(tmp_path / name, 1.0))
    assert await make_waveform(made.version_id) == 20


async def test_s13_drawn_twice_it_is_there_once(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 0.5))
    for _ in range(2):
        await draw_waveform(made.version_id)
    async with database.reading() as session:
        [row] = (await session.scalars(select(Waveform))).all()
        data, picture = await session.get(Asset, row.json_asset_id), await session.get(Asset, row.png_asset_id)
        binary = await session.get(Asset, row.dat_asset_id)
        assert len((await session.scalars(select(Asset).where(Asset.bucket == "public"))).all()) == 3
    assert data
    assert picture
    assert binary
    assert (data.mime, binary.mime, picture.mime) == ("application/json", "application/octet-stream", "image/png")
    assert data.size_bytes == (await store.head(waveform_key(made.version_id, ".json"))).size
    assert temporary.left() == []


async def test_before_ingest_it_is_a_conflict(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        await draw_waveform((await upload(audio.tone(tmp_path / "a.wav", 0.1))).version_id)


@pytest.mark.parametrize(("rate", "channels", "seconds"), [(48000, 2, 3.0), (44100, 6, 2.03), (8000, 1, 0.01)])
async def test_s41_the_readers_of_the_format_read_both_kinds_alike(
    sqlite_database: Database, store: Storage, tmp_path: Path, rate: int, channels: int, seconds: float
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.wav", seconds, rate=rate, channels=channels))
    points = await make_waveform(made.version_id)
    seen = {}
    for kind in (".json", ".dat"):
        await store.download(waveform_key(made.version_id, kind), tmp_path / f"waveform{kind}")
        seen[kind] = await asyncio.to_thread(read_peaks, tmp_path / f"waveform{kind}")
    assert seen[".json"] == seen[".dat"]
    read = seen[".dat"]
    assert (read["rate"], read["scale"], read["bits"], read["channels"]) == (rate, rate // 20, 8, 1)
    assert read["length"] == points
    assert 1 <= read["resampled"] <= min(points, 11)  # it can work with what it read
    # The last point may be of fewer samples.
    assert seconds <= read["duration"] < seconds + 0.05 + 1e-9
    data = (await data_of(store, made))["data"]
    assert (read["low"], read["high"]) == (data[::2], data[1::2])


async def test_s41_binary_data_begins_with_its_header(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.wav", 1.0, rate=48000))
    await make_waveform(made.version_id)
    content = await store.read(waveform_key(made.version_id, ".dat"))
    assert struct.unpack("<iIiiIi", content[:24]) == (2, 1, 48000, 2400, 20, 1)
    assert list(struct.unpack("<40b", content[24:])) == (await data_of(store, made))["data"]


async def test_a_long_sound_needs_no_more_memory(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.tone(tmp_path / "a.flac", 240.0, rate=48000, channels=1))
    tracemalloc.start()
    await make_waveform(made.version_id)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 15_000_000  # as PCM it is 23 MB
