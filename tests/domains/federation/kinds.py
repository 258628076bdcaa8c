"""Every kind of record that people cause, with what wishes for it, changes it and takes it away.

`test_matrix.py` puts each of them through everything that can go wrong.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Comment, Like, Play
from backend.db.models.media import Track
from backend.db.session import database, unit_of_work
from backend.domains.federation.albums import create_album, order_tracks, rename_album
from backend.domains.federation.comments import add_comment, edit_comment, remove_comment
from backend.domains.federation.lexicons import Kind, collection_of
from backend.domains.federation.likes import like, unlike
from backend.domains.federation.lists import LIKED, schedule_liked_list_sync
from backend.domains.federation.pds import pds_of
from backend.domains.federation.preferences import change_preferences
from backend.domains.federation.profile import change_bio
from backend.domains.federation.publication import publish, request_publication, withdraw_publication
from backend.domains.federation.scrobbles import schedule_scrobble
from tests.domains.federation.conftest import ready_track


@dataclass(frozen=True)
class Social:
    """One kind of record. `prepare` makes what it is about, and nothing else writes to the PDS there.

    `wish` gets the account and what was prepared, and returns the subject of the record's row; `change` and `withdraw`
    get the account and that subject. None: there is no such thing. `anew`: a second wish makes another record.
    """

    name: str
    kind: Kind
    prepare: Callable[[str], Awaitable[str]]
    wish: Callable[[str, str], Awaitable[str]]
    change: Callable[[str, str], Awaitable[object]] | None = None
    withdraw: Callable[[str, str], Awaitable[object]] | None = None
    anew: bool = False

    def __str__(self) -> str:
        return self.name


async def published_track(did: str) -> str:
    """A track that is on its artist's server. Returns its id."""
    track_id = await ready_track(did)
    await request_publication(track_id)
    await publish(track_id)
    return track_id


async def _publish(did: str, track_id: str) -> str:
    await request_publication(track_id)
    return track_id


async def _retitle(did: str, track_id: str) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).where(Track.id == track_id).values(title="Night Drive II"))
    await request_publication(track_id)


async def _withdraw(did: str, track_id: str) -> None:
    await withdraw_publication(track_id)


async def _like(did: str, track_id: str) -> str:
    await like(did, track_id)
    return track_id


async def _two_tracks(did: str) -> str:
    await published_track(did)
    return await published_track(did)


async def _like_all(did: str, track_id: str) -> str:
    async with unit_of_work() as unit:
        for each in (await unit.session.scalars(select(Track.id))).all():
            await unit.session.merge(Like(did=did, track_id=each))
        await schedule_liked_list_sync(did)
    return LIKED


async def _unlike_some(did: str, *which: ColumnElement[bool]) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(Like).where(Like.did == did, *which))
        await schedule_liked_list_sync(did)


async def _unlike_one(did: str, subject: str) -> None:
    await _unlike_some(did, Like.track_id == select(func.min(Like.track_id)).scalar_subquery())


async def _unlike_all(did: str, subject: str) -> None:
    await _unlike_some(did)


async def _no_profile(did: str) -> str:
    async with pds_of(did) as pds:
        place = {"repo": did, "collection": collection_of(Kind.PROFILE), "rkey": "self"}
        await pds.procedure("com.atproto.repo.deleteRecord", place)
    return "self"


async def _introduce(did: str, subject: str) -> str:
    await change_bio(did, f"Anna, {new_id()}")
    return subject


async def _album(did: str) -> str:
    await published_track(did)
    return (await create_album(did, "Night")).id


async def _fill(did: str, album_id: str) -> str:
    theirs = select(Track.id).where(Track.artist_did == did)
    async with database().reading() as session:
        track_ids = list(await session.scalars(theirs))
    await order_tracks(album_id, track_ids)
    return album_id


async def _rename(did: str, album_id: str) -> None:
    await rename_album(album_id, "Day")


async def _empty(did: str, album_id: str) -> None:
    await order_tracks(album_id, [])


async def _comment(did: str, track_id: str) -> str:
    return (await add_comment(did, track_id, "this bass!", 84_200)).comment.id


async def _rephrase(did: str, comment_id: str) -> None:
    await edit_comment(did, await _commented(comment_id), comment_id, "THIS bass!")


async def _uncomment(did: str, comment_id: str) -> None:
    await remove_comment(did, await _commented(comment_id), comment_id)


async def _commented(comment_id: str) -> str:
    async with database().reading() as session:
        return (await session.get_one(Comment, comment_id)).track_id


async def _scrobble(did: str, track_id: str) -> str:
    # It is long over: what they hear now would be a second record.
    play = Play(id=new_id(), track_id=track_id, did=did, listener=did, played_at=now() - timedelta(hours=1))
    await change_preferences(did, scrobble=True)
    async with unit_of_work() as unit:
        unit.session.add(play)
        await schedule_scrobble(play.id)
    return play.id


KINDS = [
    Social("publication", Kind.TRACK, ready_track, _publish, _retitle, _withdraw),
    Social("like", Kind.LIKE, published_track, _like, None, unlike),
    Social("album list", Kind.LIST, _album, _fill, _rename, _empty),
    Social("liked list", Kind.LIST, _two_tracks, _like_all, _unlike_one, _unlike_all),
    Social("profile", Kind.PROFILE, _no_profile, _introduce, _introduce),
    Social("comment", Kind.COMMENT, published_track, _comment, _rephrase, _uncomment, anew=True),
    Social("scrobble", Kind.PLAY, ready_track, _scrobble),
]
