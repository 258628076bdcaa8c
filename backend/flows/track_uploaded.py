"""What follows an upload: streams, with all else that is made of an original beside them."""

from backend.domains.media.extras import Extra
from backend.domains.media.ingest import ingest_upload
from backend.domains.media.plan import default_formats
from backend.domains.media.transcode import schedule_transcode
from backend.runtime import after


@after(ingest_upload)
async def start_processing(version_id: str) -> None:
    """Enqueue what is made of an original. Only its streams decide whether the track becomes `ready`.

    Safe to repeat: the run has a key, so one that is active already stands for the new one. An extra that fails beside
    the streams is handed to a run of its own.
    """
    await schedule_transcode(version_id, await default_formats(version_id), beside=list(Extra))
