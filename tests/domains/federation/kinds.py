"""Every kind of record that people cause, with what wishes for it, changes it and takes it away.

`test_matrix.py` puts each of them through everything that can go wrong.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Comment, Play
from backend.db.models.media import Track
from backend.db.session import database, unit_of_work
from backend.domains.federation.albums import create_album, order_tracks, rename_album
from backend.domains.federation.comments import add_comment, edit_comment, remove_comment
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.likes import like, unlike
from backend.domains.federation.preferences import change_preferences
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
    Social("comment", Kind.COMMENT, published_track, _comment, _rephrase, _uncomment, anew=True),
    Social("scrobble", Kind.PLAY, ready_track, _scrobble),
]
