"""What follows an upload: streams, then what nobody waits for: waveform, loudness, artwork, fingerprint."""

from backend.domains.media.artwork import schedule_artwork
from backend.domains.media.fingerprint import schedule_fingerprint
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
    await schedule_artwork(version_id)
    await schedule_fingerprint(version_id)
