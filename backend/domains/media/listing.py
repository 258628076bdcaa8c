"""The tracks there are, newest first, each in one line."""

from collections.abc import Sequence
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
    statement = _LINES.order_by(Track.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Track.id < before)
    async with database().reading() as session:
        return [_line(*row) for row in (await session.execute(statement)).all()]


async def list_these(track_ids: Sequence[str]) -> list[TrackLine]:
    """The tracks with these ids, in this order. One that is no more is left out."""
    async with database().reading() as session:
        rows = (await session.execute(_LINES.where(Track.id.in_(track_ids)))).all()
    found = {track.id: _line(track, version) for track, version in rows}
    return [found[track_id] for track_id in track_ids if track_id in found]


_LINES = select(Track, TrackVersion).join(TrackVersion, SHOWN)


def _line(track: Track, version: TrackVersion) -> TrackLine:
    return TrackLine(
        track.id,
        track.title,
        track.artist,
        track.gated,
        version.id,
        version.status,
        version.duration_s,
        track.created_at,
    )
