"""The home of a version: the bucket in which lies what was made of it. Private when its track is gated, else public."""

from sqlalchemy import select, update

from backend.db.models.media import Track, TrackVersion
from backend.db.session import Unit
from backend.errors import NotFound, Unavailable
from backend.storage import Bucket


def home_for(gated: bool) -> Bucket:
    """Where the files of a track belong."""
    return Bucket.PRIVATE if gated else Bucket.PUBLIC


async def note_written(unit: Unit, version_id: str, home: Bucket) -> None:
    """Note within this unit that something is published in this bucket. To be called before anything else is written.

    A move that copies at the same time sees that it must look again. Raises Unavailable when the version was moved since
    the work began, so that the next attempt writes to its new home, and NotFound when it was removed.
    """
    # Everybody locks the track before the version, so that no two wait for each other.
    track = select(Track.id).join(TrackVersion, TrackVersion.track_id == Track.id).where(TrackVersion.id == version_id)
    if await unit.connection.scalar(track.with_for_update(of=Track)) is None:
        raise NotFound(f"there is no version {version_id}", field="version_id")
    at_home = update(TrackVersion).where(TrackVersion.id == version_id, TrackVersion.home == home)
    if not (await unit.connection.execute(at_home.values(writes=TrackVersion.writes + 1))).rowcount:
        raise Unavailable(f"version {version_id} was moved out of the {home} bucket meanwhile")
