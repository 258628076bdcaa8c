"""Comments: shown here at once, and written to their author's own server soon after.

The owner of a track decides what stands beside it here; the record is its author's, and nobody else's to delete.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, Comment, PdsRecord
from backend.db.models.media import Track, TrackVersion
from backend.db.models.network import AwayAccount
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.preferences import get_preferences
from backend.domains.federation.publication import protocol_time, strong_ref
from backend.domains.federation.records import RecordView, find_record, want
from backend.domains.federation.writing import schedule_record_write
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound
from backend.settings import get_settings

LATEST_MS = 7 * 24 * 3_600_000  # nothing lasts longer


@dataclass(frozen=True)
class CommentLine:
    """A comment as everybody sees it. `handle` is null for an author who never signed in with an app password."""

    id: str
    did: str
    handle: str | None
    text: str
    timestamp_ms: int
    created_at: datetime
    updated_at: datetime | None


@dataclass(frozen=True)
class CommentView:
    """A comment as its author sees it, with where their own record of it stands.

    `hidden`: the track's owner does not show it. The record stays all the same.
    """

    comment: CommentLine
    hidden: bool
    record: RecordView | None


async def list_comments(track_id: str, limit: int = 25, before: str | None = None) -> list[CommentLine]:
    """What is said about a track, newest first. `before` is the last id of the page before. Raises NotFound."""
    statement = (
        select(Comment, Account.handle)
        .outerjoin(Account, Account.did == Comment.did)
        .where(Comment.track_id == track_id, Comment.hidden_at.is_(None))
        .where(Comment.did.not_in(select(AwayAccount.did)))
        .order_by(Comment.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(Comment.id < before)
    async with database().reading() as session:
        if await session.get(Track, track_id) is None:
            raise NotFound(f"there is no track {track_id}", field="track_id")
        return [_line(*row) for row in await session.execute(statement)]


async def add_comment(did: str, track_id: str, text: str, timestamp_ms: int) -> CommentView:
    """Say something about a moment of a track.

    Raises NotFound, Forbidden when the artist wants no comments, Conflict when the track was never published or has as
    many as it may, InvalidInput for a text or a moment that no record can hold.
    """
    async with unit_of_work() as unit:
        # Its row is held until the end, so two comments at once are counted one after the other.
        track = await unit.session.scalar(select(Track).where(Track.id == track_id).with_for_update())
        subject = await strong_ref(unit, track_id)
        assert track is not None
        await _must_be_welcome(unit, track)
        await _must_be_within(unit, track, timestamp_ms)
        row = Comment(id=new_id(), track_id=track_id, did=did, text=_clean(text), timestamp_ms=timestamp_ms)
        row.created_at = now()
        await _wish(unit, row, _content(row, subject))
        unit.session.add(row)
    return await show_comment(did, track_id, row.id)


async def take_comment(unit: Unit, did: str, track_id: str, record: dict[str, Any]) -> str:
    """Within this unit: show a comment that was written elsewhere, and whose record is there. Returns its id.

    Raises Forbidden, Conflict and InvalidInput where the track takes it from nobody.
    """
    track = await unit.session.get_one(Track, track_id, with_for_update=True)
    if track.gated and track.artist_did != did:
        raise Forbidden("who may not hear a track cannot comment on it")
    await _must_be_welcome(unit, track)
    await _must_be_within(unit, track, record["timestampMs"])
    row = Comment(id=new_id(), track_id=track_id, did=did, timestamp_ms=record["timestampMs"])
    row.text = _shown_text(record)
    unit.session.add(row)
    await unit.flush()
    return row.id


async def retell_comment(unit: Unit, comment_id: str, record: dict[str, Any]) -> None:
    """Within this unit: a comment says what its record says since it was edited elsewhere. Raises InvalidInput."""
    row = await unit.session.get(Comment, comment_id, with_for_update=True, populate_existing=True)
    if row is not None and (text := _shown_text(record)) != row.text:
        row.text, row.updated_at = text, now()


def _shown_text(record: dict[str, Any]) -> str:
    text = _clean(record["text"])
    if not text:
        raise InvalidInput("text holds nothing that can be shown", field="text")
    return text


async def edit_comment(did: str, track_id: str, comment_id: str, text: str) -> CommentView:
    """Say it differently. The same words change nothing. Raises NotFound, Forbidden when it is not theirs, InvalidInput."""
    async with unit_of_work() as unit:
        row = await _held(unit, track_id, comment_id)
        _must_be_author(row, did)
        if (words := _clean(text)) != row.text:
            row.text, row.updated_at = words, now()
            # What it was said about stays, whatever became of the track's record.
            await _wish(unit, row, _content(row, await _subject(unit, row)))
    return await show_comment(did, track_id, comment_id)


async def remove_comment(did: str, track_id: str, comment_id: str, admin: bool = False) -> RecordView | None:
    """Take a comment away: its author for good, with its record; the track's owner, or an admin, from the track only.

    Returns where the author's record stands, None for the others. Raises NotFound, and Forbidden for anybody else.
    """
    async with unit_of_work() as unit:
        row = await _held(unit, track_id, comment_id)
        if row.did == did:
            await _wish(unit, row, None)
            await unit.session.delete(row)
        else:
            track = await unit.session.get_one(Track, track_id)
            if track.artist_did != did and not admin:
                raise Forbidden("a comment is removed by who wrote it, or by the track's owner")
            row.hidden_at = row.hidden_at or now()
            return None
    return await find_record(did, Kind.COMMENT, comment_id)


async def show_comment(did: str, track_id: str, comment_id: str) -> CommentView:
    """A comment of their own. Raises NotFound, and Forbidden when it is somebody else's."""
    async with database().reading() as session:
        row = await _find(session, track_id, comment_id)
        _must_be_author(row, did)
        account = await session.get(Account, did)
    line = _line(row, account.handle if account else None)
    return CommentView(line, row.hidden_at is not None, await find_record(did, Kind.COMMENT, comment_id))


async def _must_be_welcome(unit: Unit, track: Track) -> None:
    if not (await get_preferences(track.artist_did)).allow_comments:
        raise Forbidden("the artist takes no comments")
    shown = select(func.count()).where(Comment.track_id == track.id, Comment.hidden_at.is_(None))
    most = get_settings().federation.comments_per_track
    if (await unit.session.scalar(shown) or 0) >= most:
        raise Conflict(f"the track has {most} comments, as many as it may: one must be removed first")


async def _must_be_within(unit: Unit, track: Track, timestamp_ms: int) -> None:
    shown = select(TrackVersion.duration_s).where(TrackVersion.id == track.current_version_id)
    length = await unit.session.scalar(shown)
    longest = LATEST_MS if length is None else length * 1000
    if timestamp_ms > longest:
        raise InvalidInput(f"the track is {round(longest):,} ms long", field="timestamp_ms")


async def _wish(unit: Unit, row: Comment, content: dict[str, Any] | None) -> None:
    wish = await want(unit, row.did, Kind.COMMENT, row.id, content)
    if wish is not None:
        await schedule_record_write(wish.id, wish.wanted_revision)


def _content(row: Comment, subject: dict[str, str]) -> dict[str, Any]:
    content = {"subject": subject, "text": row.text, "timestampMs": row.timestamp_ms}
    content["createdAt"] = protocol_time(row.created_at)
    if row.updated_at is not None:
        content["updatedAt"] = protocol_time(row.updated_at)
    return content


async def _subject(unit: Unit, row: Comment) -> dict[str, str]:
    statement = select(PdsRecord).filter_by(did=row.did, kind=Kind.COMMENT, subject=row.id)
    record = (await unit.session.execute(statement)).scalar_one()
    assert record.wanted is not None
    return dict(record.wanted["subject"])


async def _held(unit: Unit, track_id: str, comment_id: str) -> Comment:
    """The comment, which nobody else changes until the end of this unit."""
    await unit.session.get(Comment, comment_id, with_for_update=True, populate_existing=True)
    return await _find(unit.session, track_id, comment_id)


async def _find(session: AsyncSession, track_id: str, comment_id: str) -> Comment:
    row = await session.get(Comment, comment_id)
    if row is None or row.track_id != track_id:
        raise NotFound(f"track {track_id} has no comment {comment_id}", field="comment_id")
    return row


def _must_be_author(row: Comment, did: str) -> None:
    if row.did != did:
        raise Forbidden("this comment is somebody else's")


def _clean(text: str) -> str:
    """The text without what no database and no page can show, and without space around it."""
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) != "Cc").strip()


def _line(row: Comment, handle: str | None) -> CommentLine:
    return CommentLine(row.id, row.did, handle, row.text, row.timestamp_ms, row.created_at, row.updated_at)
