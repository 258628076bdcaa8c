"""Which version of a track is shown and played: asked and changed here only.

The first version is shown from the start. A later one waits until it is `ready`; until then the one before it plays.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Unit, database
from backend.errors import NotFound

SHOWN = TrackVersion.id == Track.current_version_id  # joins each track to the version that it shows


async def find_shown(session: AsyncSession, track_id: str) -> tuple[Track, TrackVersion, Asset]:
    """A track, the version it shows, and that version's original. Raises NotFound."""
    wanted = (
        select(Track, TrackVersion, Asset)
        .join(TrackVersion, SHOWN)
        .join(Asset, Asset.id == TrackVersion.original_asset_id)
        .where(Track.id == track_id)
    )
    found = (await session.execute(wanted)).first()
    if found is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    return found[0], found[1], found[2]


async def versions_at_hand(track_id: str) -> list[str]:
    """The version that a track shows, and the one that waits to take its place, if one does. Raises NotFound."""
    wanted = select(Track.current_version_id, Track.next_version_id).where(Track.id == track_id)
    async with database().reading() as session:
        found = (await session.execute(wanted)).first()
    if found is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    return [each for each in found if each is not None]


async def show_when_ready(unit: Unit, track_id: str, version_id: str | None) -> None:
    """Let this version take the place of the shown one as soon as it is ready; None for no version.

    The last one that was asked for wins.
    """
    await unit.connection.execute(update(Track).where(Track.id == track_id).values(next_version_id=version_id))


async def show(unit: Unit, track_id: str, version_id: str) -> None:
    """Show this version from now on, and wait for no other."""
    values = {"current_version_id": version_id, "next_version_id": None}
    await unit.connection.execute(update(Track).where(Track.id == track_id).values(values))


async def became_ready(unit: Unit, version_id: str) -> None:
    """Show the version if its track waits for it. Any other one changes nothing: it may have been ready before."""
    values = {"current_version_id": version_id, "next_version_id": None}
    await unit.connection.execute(update(Track).where(Track.next_version_id == version_id).values(values))
