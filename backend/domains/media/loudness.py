"""Loudness: how loud a version is by EBU R128, so that players can make all tracks alike."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import update

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds
from backend.db.models.media import TrackVersion
from backend.db.session import unit_of_work
from backend.domains.media.r128 import Loudness, read_summary
from backend.domains.media.versions import QUEUE, RETRY, Original, find_original
from backend.runtime import current_run, scheduler, task

# `framelog=verbose` keeps a line per 100 ms out of the log; `quiet` does not exist before ffmpeg 6.
FILTER = ["-map", "0:a:0", "-vn", "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]


async def measure_loudness(version_id: str, report: Callable[[float, float], Awaitable[None]]) -> Loudness:
    """Measure a version and write the figures into it. A figure that the sound does not have is null, with a note.

    `report` is awaited with the seconds done and the seconds in all. Raises NotFound, Conflict before ingest,
    FfmpegFailed.
    """
    original = await find_original(version_id)
    duration_s, _, _ = original.measured()

    async def note(seconds: float) -> None:
        await report(min(seconds, duration_s), duration_s)

    async with original.open() as file:
        return await measure_file(original, file, note)


async def measure_file(original: Original, file: Path, on_seconds: OnSeconds) -> Loudness:
    """The same on an original that is open already. `on_seconds` is awaited with the seconds done."""
    said = await ffmpeg.run([*ffmpeg.source(file), *FILTER], cwd=file.parent, on_seconds=on_seconds, loglevel="info")
    loudness = read_summary(said)
    figures = {
        "loudness_lufs": loudness.integrated,
        "loudness_range": loudness.range,
        "true_peak": loudness.true_peak,
        "loudness_note": loudness.note,
    }
    mine = update(TrackVersion).where(TrackVersion.id == original.version_id)
    async with unit_of_work() as unit:
        await unit.connection.execute(mine.values(**figures))
    return loudness


@task(queue=QUEUE, limit=4, retry=RETRY, timeout=900, key="loudness:{version_id}")
async def analyse_loudness(version_id: str) -> dict[str, object]:
    """Measure the loudness of a version. A repeat measures the same and writes it again."""
    return asdict(await measure_loudness(version_id, current_run().progress))


schedule_loudness = scheduler(analyse_loudness)
