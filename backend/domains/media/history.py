"""The versions of a track: listed, restored, removed. Only its owner sees and changes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from backend.db.models.media import Asset, Track, TrackVersion, VersionStatus
from backend.db.models.runs import ACTIVE, Run
from backend.db.session import Unit, database, unit_of_work
from backend.domains.media.access import Person, check_owner, own_track
from backend.domains.media.shown import show, show_when_ready
from backend.errors import Conflict, NotFound
from backend.runtime.cancel import cancel_in


@dataclass(frozen=True)
class VersionLine:
    """A version in one line. `shown` is true for the one that is played; `next` for the one that follows it."""

    id: str
    shown: bool
    next: bool
    status: str
    error: str | None
    filename: str | None
    mime: str
    size_bytes: int
    duration_s: float | None
    created_at: datetime


async def list_versions(track_id: str, person: Person, limit: int = 25, before: str | None = None) -> list[VersionLine]:
    """A track's versions, newest first. Raises NotFound, SignInRequired, Forbidden."""
    await check_owner(track_id, person)
    statement = (
        select(Track, TrackVersion, Asset)
        .join(TrackVersion, TrackVersion.track_id == Track.id)
        .join(Asset, Asset.id == TrackVersion.original_asset_id)
        .where(Track.id == track_id)
        .order_by(TrackVersion.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(TrackVersion.id < before)
    async with database().reading() as session:
        return [_line(*row) for row in await session.execute(statement)]


def _line(track: Track, version: TrackVersion, original: Asset) -> VersionLine:
    return VersionLine(
        id=version.id,
        shown=version.id == track.current_version_id,
        next=version.id == track.next_version_id,
        status=version.status,
        error=version.error,
        filename=original.filename,
        mime=original.mime,
        size_bytes=original.size_bytes,
        duration_s=version.duration_s,
        created_at=version.created_at,
    )


async def restore_version(track_id: str, version_id: str, person: Person) -> None:
    """Show a version again, and wait for no other. A repeat changes nothing.

    Raises NotFound, SignInRequired, Forbidden, and Conflict when the version does not play.
    """
    async with unit_of_work() as unit:
        track = await own_track(unit, track_id, person)
        version = await _version(unit, track, version_id)
        if version.status != VersionStatus.READY:
            raise Conflict(f"the version is {version.status}: only one that is ready can be shown", field="version_id")
        await show(unit, track.id, version.id)


async def remove_version(track_id: str, version_id: str, person: Person) -> None:
    """Remove a version that is not shown, and stop what works on it. Its objects are swept later.

    Raises NotFound, SignInRequired, Forbidden, and Conflict when it is the one that is shown.
    """
    async with unit_of_work() as unit:
        track = await own_track(unit, track_id, person)
        version = await _version(unit, track, version_id)
        if version.id == track.current_version_id:
            raise Conflict("this version is shown: restore another one first, or remove the track", field="version_id")
        if version.id == track.next_version_id:
            await show_when_ready(unit, track.id, None)
        await _stop_runs(unit, [version.id])
        await unit.connection.execute(delete(TrackVersion).where(TrackVersion.id == version.id))


async def remove_track(track_id: str, person: Person) -> None:
    """Remove a track with all its versions, and stop what works on them. Its objects are swept later.

    Raises NotFound, SignInRequired, Forbidden.
    """
    async with unit_of_work() as unit:
        track = await own_track(unit, track_id, person)
        versions = await unit.session.scalars(select(TrackVersion.id).where(TrackVersion.track_id == track.id))
        await _stop_runs(unit, [track.id, *versions])
        await unit.connection.execute(delete(Track).where(Track.id == track.id))


async def _version(unit: Unit, track: Track, version_id: str) -> TrackVersion:
    version = await unit.session.get(TrackVersion, version_id, populate_existing=True)
    if version is None or version.track_id != track.id:
        raise NotFound(f"track {track.id} has no version {version_id}", field="version_id")
    return version


async def _stop_runs(unit: Unit, ids: Sequence[str]) -> None:
    about = or_(*(Run.args[name].as_string().in_(ids) for name in ("track_id", "version_id")))
    for run_id in await unit.session.scalars(select(Run.id).where(Run.state.in_(ACTIVE), about)):
        await cancel_in(unit, run_id)
