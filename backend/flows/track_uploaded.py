"""What follows an upload: streams, then a waveform and a loudness figure that nobody waits for."""

from backend.domains.media.ingest import ingest_upload
from backend.domains.media.loudness import schedule_loudness
from backend.domains.media.transcode import default_formats, schedule_transcode
from backend.domains.media.waveform import schedule_waveform
from backend.runtime import after


@after(ingest_upload)
async def start_processing(version_id: str) -> None:
    """Enqueue what is made of an original. Only the transcode decides whether the track becomes `ready`.

    Safe to repeat: each run has a key, so one that is active already stands for the new one.
    """
    await schedule_transcode(version_id, await default_formats(version_id))
    await schedule_waveform(version_id)
    await schedule_loudness(version_id)
