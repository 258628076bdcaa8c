"""The listing of tracks."""

from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Database
from backend.domains.media.listing import list_tracks
from backend.domains.media.shown import show


async def make(database: Database, title: str, versions: int = 1) -> str:
    async with database.unit() as unit:
        track, asset = (
            Track(title=title),
            Asset(bucket="private", key=f"originals/{title}", mime="audio/wav", size_bytes=1),
        )
        unit.session.add_all([track, asset])
        await unit.session.flush()
        shown = [
            TrackVersion(track_id=track.id, original_asset_id=asset.id, status="ready" if number == 0 else "failed")
            for number in range(versions)
        ]
        unit.session.add_all(shown)
        await unit.session.flush()
        await show(unit, track.id, shown[0].id)
        return track.id


async def test_lists_each_track_once_with_the_version_it_shows(database: Database) -> None:
    made = [await make(database, title, versions) for title, versions in (("a", 1), ("b", 3), ("c", 2))]
    listed = await list_tracks()
    assert [line.id for line in listed] == made[::-1]
    assert {line.status for line in listed} == {"ready"}


async def test_goes_on_where_the_page_before_ended(database: Database) -> None:
    made = [await make(database, str(number)) for number in range(5)]
    first = await list_tracks(limit=3)
    rest = await list_tracks(limit=3, before=first[-1].id)
    assert [line.id for line in (*first, *rest)] == made[::-1]
