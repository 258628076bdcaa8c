"""What follows a track's record: the lists of the albums that the track is in."""

from backend.domains.federation.albums import schedule_lists_with
from backend.domains.federation.heeding import heed_record
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.publication import publish_track
from backend.domains.federation.records import subject_at, subject_of_record
from backend.domains.federation.writing import recheck_record, write_record
from backend.flows.saved_audio import save_audio_to_pds
from backend.runtime import after


@after(save_audio_to_pds)
@after(publish_track)
async def list_published_track(track_id: str) -> None:
    """The track's record was written or taken away. Safe to repeat: the runs have keys, and find the lists written."""
    await schedule_lists_with(track_id)


@after(recheck_record)
@after(write_record)
async def list_repaired_track(record_id: str) -> None:
    """The same, where the record was written by a run that repairs it."""
    if (track_id := await subject_of_record(record_id, Kind.TRACK)) is not None:
        await schedule_lists_with(track_id)


@after(heed_record)
async def list_heeded_track(uri: str) -> None:
    """The same, where another program deleted the record."""
    if (track_id := await subject_at(uri, Kind.TRACK)) is not None:
        await schedule_lists_with(track_id)
