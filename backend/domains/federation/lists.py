"""Lists: an album's tracks and an account's likes, as records that refer to the tracks' own records."""

from sqlalchemy import Select, select

from backend.db.models.federation import Account, Album, AlbumTrack, Like, PdsRecord
from backend.db.models.media import Track
from backend.db.session import Unit, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.publication import protocol_time
from backend.domains.federation.records import RecordView, want
from backend.domains.federation.writing import RETRY, TIMEOUT_S, bring
from backend.runtime import scheduler, task

LIST_LIMIT = 500  # items, as the lexicon says
LIKED = "liked"  # the subject of the list of likes: an account has one


async def wish_album_list(unit: Unit, album: Album) -> PdsRecord | None:
    """Within this unit: the list has the album's published tracks in their order; without any there is no list.

    Raises InvalidInput when the lexicon refuses it.
    """
    places = _published().join(AlbumTrack, AlbumTrack.track_id == Track.id).where(AlbumTrack.album_id == album.id)
    items = await _items(unit, places.order_by(AlbumTrack.position))
    content = {"name": album.title, "listType": "album", "items": items, "createdAt": protocol_time(album.created_at)}
    return await want(unit, album.artist_did, Kind.LIST, album.id, content if items else None)


async def wish_liked_list(unit: Unit, did: str) -> PdsRecord | None:
    """Within this unit: the list has the newest 500 published tracks that the account likes, the newest like first."""
    account = await unit.session.get(Account, did)
    if account is None:
        return None
    likes = _published().join(Like, Like.track_id == Track.id).where(Like.did == did)
    items = await _items(unit, likes.order_by(Like.created_at.desc(), Like.track_id.desc()))
    # The account's age stands for the list's: it stays the same when the list was empty for a while.
    content = {"listType": "liked", "items": items, "createdAt": protocol_time(account.created_at)}
    return await want(unit, did, Kind.LIST, LIKED, content if items else None)


def _published() -> Select[tuple[PdsRecord]]:
    """The records of tracks that are published."""
    same = (PdsRecord.subject == Track.id) & (PdsRecord.did == Track.artist_did)
    return select(PdsRecord).join(Track, same).where(
        PdsRecord.kind == Kind.TRACK, PdsRecord.wanted.is_not(None), PdsRecord.cid.is_not(None)
    )  # fmt: skip


async def _items(unit: Unit, records: Select[tuple[PdsRecord]]) -> list[dict[str, object]]:
    found = await unit.session.scalars(records.limit(LIST_LIMIT))
    return [{"subject": {"uri": f"at://{row.did}/{row.collection}/{row.rkey}", "cid": row.cid}} for row in found.all()]


async def bring_album_list(album_id: str) -> RecordView | None:
    """Write an album's list as the album is now. None when there is nothing to write. Raises what `bring` does."""
    async with unit_of_work() as unit:
        album = await unit.session.get(Album, album_id, with_for_update=True)
        row = await wish_album_list(unit, album) if album else None
    return await bring_if_new(row)


async def bring_liked_list(did: str) -> RecordView | None:
    """Write an account's list of likes as they are now. None when there is nothing to write. Raises what `bring` does."""
    async with unit_of_work() as unit:
        row = await wish_liked_list(unit, did)
    return await bring_if_new(row)


async def bring_if_new(row: PdsRecord | None) -> RecordView | None:
    """`bring`, where the server does not have what is wanted."""
    return await bring(row.id) if row and row.written_revision != row.wanted_revision else None


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="album-list:{album_id}", unique="debounce")
async def sync_album_list(album_id: str) -> dict[str, str | None]:
    """Write an album's list. A repeat finds it written; changes in quick succession are one run."""
    done = await bring_album_list(album_id)
    return {"written": done.uri if done else None}


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="liked-list:{did}", unique="debounce")
async def sync_liked_list(did: str) -> dict[str, str | None]:
    """Write an account's list of likes. A repeat finds it written."""
    done = await bring_liked_list(did)
    return {"written": done.uri if done else None}


schedule_album_list_sync = scheduler(sync_album_list)
schedule_liked_list_sync = scheduler(sync_liked_list)
