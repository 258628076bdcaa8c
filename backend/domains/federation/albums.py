"""Albums: an artist's tracks in an order. Each change is followed by one of the album's list on the artist's server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from backend.db.models.federation import Album, AlbumTrack
from backend.db.models.media import Track
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.lists import LIST_LIMIT, schedule_album_list_sync, wish_album_list
from backend.domains.federation.records import RecordView, find_record, want
from backend.domains.federation.writing import schedule_record_write
from backend.errors import InvalidInput, NotFound


@dataclass(frozen=True)
class AlbumLine:
    """An album in one line, with the number of its tracks."""

    id: str
    artist_did: str
    title: str
    tracks: int
    created_at: datetime


@dataclass(frozen=True)
class AlbumView:
    """An album with the ids of its tracks, in its artist's order."""

    id: str
    artist_did: str
    title: str
    track_ids: tuple[str, ...]
    created_at: datetime


async def create_album(did: str, title: str, track_ids: Sequence[str] = ()) -> AlbumView:
    """A new album of this account. Raises InvalidInput as `order_tracks` does."""
    async with unit_of_work() as unit:
        album = Album(artist_did=did, title=title)
        unit.session.add(album)
        await unit.flush()
        await _put(unit, album, track_ids)
    return await get_album(album.id)


async def rename_album(album_id: str, title: str) -> AlbumView:
    """Give an album another title. Raises NotFound."""
    async with unit_of_work() as unit:
        album = await _locked(unit, album_id)
        album.title = title
        await _changed(unit, album)
    return await get_album(album_id)


async def order_tracks(album_id: str, track_ids: Sequence[str]) -> AlbumView:
    """These are the album's tracks, in this order, and no others.

    Raises NotFound, and InvalidInput for a track that is somebody else's or nobody's, for one that stands there twice,
    and for more than 500.
    """
    async with unit_of_work() as unit:
        album = await _locked(unit, album_id)
        await unit.connection.execute(delete(AlbumTrack).where(AlbumTrack.album_id == album_id))
        await _put(unit, album, track_ids)
    return await get_album(album_id)


async def remove_album(album_id: str) -> None:
    """Remove an album and its list. Its tracks stay. Raises NotFound."""
    async with unit_of_work() as unit:
        album = await _locked(unit, album_id)
        row = await want(unit, album.artist_did, Kind.LIST, album_id, None)
        await unit.session.delete(album)
        if row is not None:
            await schedule_record_write(row.id, row.wanted_revision)


async def get_album(album_id: str) -> AlbumView:
    """An album. Raises NotFound."""
    places = select(AlbumTrack.track_id).where(AlbumTrack.album_id == album_id).order_by(AlbumTrack.position)
    async with database().reading() as session:
        album = _found(album_id, await session.get(Album, album_id))
        track_ids = tuple(await session.scalars(places))
    return AlbumView(album.id, album.artist_did, album.title, track_ids, album.created_at)


async def list_albums(artist_did: str | None = None, limit: int = 25, before: str | None = None) -> list[AlbumLine]:
    """At most `limit` albums, newest first. `before` is the id of the last one of the page before."""
    held = select(func.count()).where(AlbumTrack.album_id == Album.id).correlate(Album).scalar_subquery()
    statement = select(Album, held).order_by(Album.id.desc()).limit(limit)
    if artist_did is not None:
        statement = statement.where(Album.artist_did == artist_did)
    if before is not None:
        statement = statement.where(Album.id < before)
    async with database().reading() as session:
        found = (await session.execute(statement)).all()
    return [AlbumLine(album.id, album.artist_did, album.title, count, album.created_at) for album, count in found]


async def album_list(album_id: str) -> RecordView:
    """Where the album's list on its artist's server stands. Raises NotFound when there is no album, or never was a list."""
    record = await find_record((await get_album(album_id)).artist_did, Kind.LIST, album_id)
    if record is None:
        raise NotFound("no track of the album was ever published, so it has no list", field="album_id")
    return record


async def schedule_lists_with(track_id: str) -> None:
    """Something about a track changed that the lists of its albums should show. Each is written once for many changes."""
    async with database().reading() as session:
        album_ids = await session.scalars(select(AlbumTrack.album_id).where(AlbumTrack.track_id == track_id))
        found = album_ids.all()
    for album_id in found:
        await schedule_album_list_sync(album_id)


async def _put(unit: Unit, album: Album, track_ids: Sequence[str]) -> None:
    if len(track_ids) > LIST_LIMIT:
        raise InvalidInput(
            f"an album has at most {LIST_LIMIT} tracks, these are {len(track_ids):,}: make several albums",
            field="track_ids",
        )
    if doubled := sorted({each for each in track_ids if track_ids.count(each) > 1}):
        raise InvalidInput(f"{', '.join(doubled[:3])} stands there more than once", field="track_ids")
    theirs = select(Track.id).where(Track.id.in_(track_ids), Track.artist_did == album.artist_did)
    if missing := sorted(set(track_ids) - set(await unit.session.scalars(theirs))):
        raise InvalidInput(f"{', '.join(missing[:3])}: no track of the album's artist", field="track_ids")
    if track_ids:
        places = [{"album_id": album.id, "track_id": each, "position": at} for at, each in enumerate(track_ids)]
        await unit.connection.execute(insert(AlbumTrack), places)
    await _changed(unit, album)


async def _changed(unit: Unit, album: Album) -> None:
    await unit.flush()
    await wish_album_list(unit, album)
    await schedule_album_list_sync(album.id)


async def _locked(unit: Unit, album_id: str) -> Album:
    """The album, which nobody else changes until the unit ends."""
    found = select(Album).where(Album.id == album_id).with_for_update().execution_options(populate_existing=True)
    return _found(album_id, await unit.session.scalar(found))


def _found(album_id: str, album: Album | None) -> Album:
    if album is None:
        raise NotFound(f"there is no album {album_id}", field="album_id")
    return album
