"""Likes: counted here at once, and written to the listener's own server soon after."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.models.federation import Like
from backend.db.models.media import Track
from backend.db.models.network import AwayAccount
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.publication import protocol_time, strong_ref
from backend.domains.federation.records import RecordView, find_record, want
from backend.domains.federation.writing import schedule_record_write
from backend.errors import NotFound


@dataclass(frozen=True)
class LikeView:
    """Whether somebody likes a track, how many do, and where their own record of it stands, if there ever was one."""

    track_id: str
    liked: bool
    likes: int
    record: RecordView | None


async def like(did: str, track_id: str) -> LikeView:
    """Like a track. Liking it again changes nothing. Raises NotFound, and Conflict when it was never published."""
    async with unit_of_work() as unit:
        subject = await strong_ref(unit, track_id)
        if await count_like(unit, did, track_id):
            at = await _liked_at(unit, did, track_id)
            await _wish(unit, did, track_id, {"subject": subject, "createdAt": protocol_time(at)})
    return await show_like(did, track_id)


async def count_like(unit: Unit, did: str, track_id: str) -> bool:
    """Within this unit: the account likes the track. Returns whether it did not before."""
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    new = make(Like).values(did=did, track_id=track_id, created_at=now()).on_conflict_do_nothing()
    return bool((await unit.connection.execute(new)).rowcount)


async def unlike(did: str, track_id: str) -> LikeView:
    """Like a track no more. One that is not liked is no error. Raises NotFound when there is no such track."""
    async with unit_of_work() as unit:
        gone = delete(Like).where(Like.did == did, Like.track_id == track_id)
        if (await unit.connection.execute(gone)).rowcount:
            await _wish(unit, did, track_id, None)
    return await show_like(did, track_id)


async def show_like(did: str, track_id: str) -> LikeView:
    """Whether this account likes a track. Raises NotFound."""
    async with database().reading() as session:
        if await session.get(Track, track_id) is None:
            raise NotFound(f"there is no track {track_id}", field="track_id")
        liked = await session.get(Like, (did, track_id)) is not None
        seen = Like.did.not_in(select(AwayAccount.did))
        likes = await session.scalar(select(func.count()).select_from(Like).where(Like.track_id == track_id, seen))
    return LikeView(track_id, liked, likes or 0, await find_record(did, Kind.LIKE, track_id))


async def _wish(unit: Unit, did: str, track_id: str, content: dict[str, object] | None) -> None:
    row = await want(unit, did, Kind.LIKE, track_id, content)
    if row is not None:
        await schedule_record_write(row.id, row.wanted_revision)


async def _liked_at(unit: Unit, did: str, track_id: str) -> datetime:
    return (await unit.session.get_one(Like, (did, track_id))).created_at
