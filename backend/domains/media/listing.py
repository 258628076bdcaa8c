"""The tracks there are, newest first, each in one line."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from backend.db.models.media import Track, TrackVersion
from backend.db.session import database
from backend.domains.media.shown import SHOWN


@dataclass(frozen=True)
class TrackLine:
    """A track and where the version it shows stands. `duration_s` is null until the file was looked at."""

    id: str
    title: str
    artist: str | None
    gated: bool
    version_id: str
    status: str
    duration_s: float | None
    created_at: datetime


async def list_tracks(limit: int = 25, before: str | None = None) -> list[TrackLine]:
    """At most `limit` tracks. `before` is the id of the last one of the page before."""
    statement = select(Track, TrackVersion).join(TrackVersion, SHOWN).order_by(Track.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Track.id < before)
    async with database().reading() as session:
        found = (await session.execute(statement)).all()
    return [
        TrackLine(
            track.id,
            track.title,
            track.artist,
            track.gated,
            version.id,
            version.status,
            version.duration_s,
            track.created_at,
        )
        for track, version in found
    ]
