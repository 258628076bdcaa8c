"""Ingest: look into an uploaded file and note what it is."""

from dataclasses import asdict

from sqlalchemy import update

from backend.adapters.probe import Sound, probe
from backend.db.models.media import TrackVersion
from backend.db.session import unit_of_work
from backend.domains.media.versions import QUEUE, RETRY, Making, find_original
from backend.runtime import current_run, scheduler, task


async def inspect_original(version_id: str) -> Sound:
    """Decode the original from end to end and write what it is into its version.

    Raises NotFound, UnsupportedMedia when it is not sound, InvalidInput when it is cut short or damaged.
    """
    original = await find_original(version_id)
    async with original.open() as file:
        sound = await probe(file)
    measured = {
        "codec": sound.codec,
        "duration_s": sound.duration_s,
        "sample_rate": sound.sample_rate,
        "channels": sound.channels,
        "lossless": sound.lossless,
    }
    async with unit_of_work() as unit:
        await unit.connection.execute(update(TrackVersion).where(TrackVersion.id == version_id).values(**measured))
    return sound


@task(queue=QUEUE, priority=20, limit=4, retry=RETRY, timeout=900, key="ingest:{version_id}")
async def ingest_upload(version_id: str) -> dict[str, object]:
    """Look into an uploaded file. A repeat writes the same figures again."""
    run = current_run()
    await run.progress(0, 1, "looking into the file")
    async with Making(version_id):
        sound = await inspect_original(version_id)
    await run.progress(1, 1, f"{sound.codec}, {sound.duration_s:.1f} s")
    return asdict(sound)


schedule_ingest = scheduler(ingest_upload)
