"""Saved audio: the sound of a track on its artist's own server, as long as the track's record names it.

A blob that no record names is dropped by its server. So what a record stops naming is forgotten here in the same moment,
and saved anew when it may be named again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from backend.db.models.federation import PdsRecord, SavedAudio
from backend.db.models.media import Track, TrackVersion
from backend.db.session import Unit, database
from backend.domains.federation.lexicons import Kind
from backend.errors import NotFound


@dataclass(frozen=True)
class SavedAudioView:
    """What is saved. `blob` is as records name it, null when nothing is there at the moment.

    `what` is `original`, or the stream that stands in for one the server has no room for.
    """

    track_id: str
    version_id: str | None
    what: str | None
    blob: dict[str, Any] | None
    saved_at: datetime | None


async def get_saved(track_id: str) -> SavedAudioView:
    """What is saved of a track. Raises NotFound when nobody asked for it."""
    async with database().reading() as session:
        row = await session.get(SavedAudio, track_id)
    if row is None:
        raise NotFound("the audio was never asked to be saved", field="track_id")
    return SavedAudioView(row.track_id, row.version_id, row.what, row.blob, row.saved_at)


async def blob_of(unit: Unit, track: Track, version: TrackVersion) -> dict[str, Any] | None:
    """The blob that the track's record names: of what it plays, and never of a gated track."""
    row = await unit.session.get(SavedAudio, track.id, populate_existing=True, with_for_update=True)
    if row is None or row.blob is None:
        return None
    if track.gated or row.version_id != version.id:
        row.blob = None
    return row.blob


async def forget_blob(unit: Unit, track_id: str) -> None:
    """No record names the blob any more."""
    await unit.connection.execute(update(SavedAudio).where(SavedAudio.track_id == track_id).values(blob=None))


async def is_missing(track_id: str) -> bool:
    """Whether a track's audio should be on its artist's server and is not: asked for, published, open, and not there."""
    wanted = (
        select(SavedAudio.track_id)
        .join(Track, Track.id == SavedAudio.track_id)
        .join(PdsRecord, PdsRecord.subject == Track.id)
        .where(
            SavedAudio.track_id == track_id,
            SavedAudio.blob.is_(None),
            Track.gated.is_(False),
            PdsRecord.kind == Kind.TRACK,
            PdsRecord.wanted.is_not(None),
        )
    )
    async with database().reading() as session:
        return await session.scalar(wanted) is not None
