"""Waveform: what a player draws of a version, as data (audiowaveform JSON and binary, version 2) and as a picture."""

import asyncio
import json
import struct
from pathlib import Path

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds
from backend.db.base import now
from backend.db.models.media import Waveform
from backend.db.session import unit_of_work
from backend.domains.media.home import note_written
from backend.domains.media.peaks import Peaks, mono, to_8_bit
from backend.domains.media.picture import WIDTH, draw
from backend.domains.media.rows import record_asset, upsert
from backend.domains.media.versions import QUEUE, RETRY, Original, find_original
from backend.errors import InvalidInput
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings
from backend.storage import storage, waveform_key

BUCKETS_PER_COLUMN = 4  # of the picture, so that a short sound is drawn in full detail too


async def make_waveform(version_id: str) -> int:
    """Measure a version's peaks, and store the data and the picture. Gives the number of points.

    Raises NotFound, Conflict before ingest, InvalidInput when nothing can be decoded.
    """
    original = await find_original(version_id)
    original.measured()
    async with original.open() as file:
        return await draw_file(original, file)


async def draw_file(original: Original, file: Path, on_seconds: OnSeconds | None = None) -> int:
    """The same on an original that is open already. `on_seconds` is awaited with the seconds done."""
    duration_s, rate, channels = original.measured()
    points = Peaks(max(1, rate // get_settings().media.waveform_pixels_per_s))
    drawn = Peaks(max(1, round(duration_s * rate) // (WIDTH * BUCKETS_PER_COLUMN)))

    def take(block: bytes) -> None:
        samples = mono(block, channels)
        for each in (points, drawn):
            each.add(samples)

    async with ffmpeg.decoding(file, rate, channels) as blocks:
        async for block in blocks:
            await asyncio.to_thread(take, block)
            if on_seconds:
                await on_seconds(points.samples / rate)
    if not points.samples:
        raise InvalidInput("nothing in the file can be decoded", field="file")
    await _store(
        original,
        {
            "json": await asyncio.to_thread(as_json, points, rate),
            "dat": await asyncio.to_thread(as_dat, points, rate),
            "png": await asyncio.to_thread(draw, drawn.pairs()),
        },
    )
    return len(points.pairs())


async def _store(original: Original, contents: dict[str, bytes]) -> None:
    keys = {kind: waveform_key(original.version_id, f".{kind}").within(original.home) for kind in contents}
    for kind, content in contents.items():
        await storage().put(keys[kind], content)
    async with unit_of_work() as unit:
        await note_written(unit, original.version_id, original.home)
        assets = {
            f"{kind}_asset_id": await record_asset(unit, keys[kind], len(content)) for kind, content in contents.items()
        }
        await upsert(unit, Waveform, {"track_version_id": original.version_id}, {**assets, "updated_at": now()})


def as_json(peaks: Peaks, rate: int) -> bytes:
    """audiowaveform's JSON, version 2: `length` counts pairs, `data` the smallest and largest of each.

    Source: bbc/audiowaveform, doc/DataFormat.md. One channel, 8 bits, values from -128 to 127.
    """
    pairs = to_8_bit(peaks.pairs())
    document = {
        "version": 2,
        "channels": 1,
        "sample_rate": rate,
        "samples_per_pixel": peaks.samples_per_bucket,
        "bits": 8,
        "length": len(pairs),
        "data": pairs.ravel().tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def as_dat(peaks: Peaks, rate: int) -> bytes:
    """audiowaveform's binary data, version 2: a header of six little-endian numbers, then the values of the JSON as bytes.

    Source: bbc/audiowaveform, doc/DataFormat.md. Bit 0 of the flags says that the values have 8 bits.
    """
    pairs = to_8_bit(peaks.pairs())
    version, eight_bits, channels = 2, 1, 1
    header = struct.pack("<iIiiIi", version, eight_bits, rate, peaks.samples_per_bucket, len(pairs), channels)
    return header + pairs.tobytes()


@task(queue=QUEUE, limit=4, retry=RETRY, timeout=900, key="waveform:{version_id}")
async def draw_waveform(version_id: str) -> dict[str, int]:
    """Draw the waveform of a version. A repeat writes the same three objects and the same row again."""
    run = current_run()
    await run.progress(0, 1, "measuring peaks")
    points = await make_waveform(version_id)
    await run.progress(1, 1, f"{points} points")
    return {"points": points}


schedule_waveform = scheduler(draw_waveform)
