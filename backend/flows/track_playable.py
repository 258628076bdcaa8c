"""What follows once a track plays: services outside look at it, those of them that have a token."""

from backend.domains.media.copyright import schedule_copyright_scan
from backend.domains.media.genres import schedule_genre_classification
from backend.domains.media.listeners import asked_services, shown_track
from backend.domains.media.transcode import transcode_version
from backend.runtime import after


@after(transcode_version)
async def look_at_track(version_id: str) -> None:
    """Have the shown version scanned and classified. Safe to repeat: the runs have keys, and write the same rows."""
    track_id = await shown_track(version_id)
    if track_id is None:
        return
    services = asked_services()
    if "audd" in services:
        await schedule_copyright_scan(track_id)
    if "replicate" in services:
        await schedule_genre_classification(track_id)
