"""Publication: a track's record on its artist's own server."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from backend.db.models.federation import Account, PdsRecord
from backend.db.models.media import Track, TrackVersion, VersionStatus
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.records import RecordView, find_record, want
from backend.domains.federation.saved_audio import blob_of, forget_blob
from backend.domains.federation.writing import RETRY, TIMEOUT_S, bring, schedule_record_write
from backend.errors import Conflict, NotFound
from backend.runtime import scheduler, task
from backend.settings import get_settings

FILE_TYPE_LIMIT = 16


@dataclass(frozen=True)
class Publication:
    """Where a track's record stands, and the run that writes it, if one was asked for."""

    record: RecordView
    run_id: str | None = None


async def request_publication(track_id: str) -> Publication:
    """Publish a track on its artist's server, or bring what is published there up to date.

    Raises NotFound, Conflict when it does not play yet or belongs to nobody, InvalidInput when it cannot be a record.
    """
    async with unit_of_work() as unit:
        track, version = await _shown(unit, track_id)
        row = await want(unit, _owner(track), Kind.TRACK, track_id, await _content(unit, track, version))
        receipt = await schedule_publication(track_id, _revision(row))
    return Publication(await get_publication(track_id), receipt.id)


async def refresh_publication(track_id: str) -> str | None:
    """Bring a published track's record up to date. Gives the run; None when it is not published and not to be.

    Raises NotFound, and Conflict when it does not play.
    """
    async with unit_of_work() as unit:
        track = await _track(unit, track_id)
        published = select(PdsRecord.id).filter_by(did=track.artist_did, kind=Kind.TRACK, subject=track_id)
        if await unit.session.scalar(published.where(PdsRecord.wanted.is_not(None))) is None:
            return None
    return (await request_publication(track_id)).run_id


async def withdraw_publication(track_id: str) -> Publication:
    """Take a track's record away from its artist's server. Raises NotFound when it was never published."""
    async with unit_of_work() as unit:
        track = await _track(unit, track_id)
        row = await want(unit, _owner(track), Kind.TRACK, track_id, None)
        await forget_blob(unit, track_id)
        if row is None:
            raise NotFound("the track was never published", field="track_id")
        receipt = await schedule_publication(track_id, _revision(row))
    return Publication(await get_publication(track_id), receipt.id)


async def forget_publication(track_id: str) -> None:
    """Take the record of a track away that is no more. One that was never published is no error."""
    async with unit_of_work() as unit:
        row = await unit.session.scalar(select(PdsRecord).filter_by(kind=Kind.TRACK, subject=track_id))
        if row is not None and (row := await want(unit, row.did, Kind.TRACK, track_id, None)):
            await schedule_record_write(row.id, row.wanted_revision)


async def get_publication(track_id: str) -> RecordView:
    """The track's record. Raises NotFound when it was never published."""
    async with database().reading() as session:
        track = await session.get(Track, track_id)
    found = await find_record(track.artist_did, Kind.TRACK, track_id) if track and track.artist_did else None
    if found is None:
        raise NotFound("the track was never published", field="track_id")
    return found


async def owner_of(track_id: str) -> str | None:
    """The account a track belongs to, or None when it is nobody's. Raises NotFound."""
    async with database().reading() as session:
        track = await session.get(Track, track_id)
    if track is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    return track.artist_did


async def strong_ref(unit: Unit, track_id: str) -> dict[str, str]:
    """The published record of a track, as other records refer to it. Raises NotFound, and Conflict without one."""
    track = await _track(unit, track_id)
    found = await unit.session.scalar(
        select(PdsRecord).filter_by(did=track.artist_did, kind=Kind.TRACK, subject=track_id)
    )
    if found is None or found.cid is None or found.wanted is None:
        raise Conflict("the track is not published, so nobody's server could refer to it")
    return {"uri": f"at://{found.did}/{found.collection}/{found.rkey}", "cid": found.cid}


async def publish(track_id: str) -> RecordView:
    """Bring a track's record to what the track is now, or away when it was withdrawn. Raises what `bring` does."""
    async with unit_of_work() as unit:
        found = await get_publication(track_id)
        await refresh_wish(unit, track_id)
    return await bring(found.id)


async def refresh_wish(unit: Unit, track_id: str) -> None:
    """Within this unit: the record of a published track says what the track is now. Raises NotFound, and Conflict."""
    track = await _track(unit, track_id)
    row = await unit.session.scalar(
        select(PdsRecord).filter_by(did=track.artist_did, kind=Kind.TRACK, subject=track_id)
    )
    if row is not None and row.wanted is not None:
        track, version = await _shown(unit, track_id)
        await want(unit, row.did, Kind.TRACK, track_id, await _content(unit, track, version))


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="publish:{track_id}:{revision}")
async def publish_track(track_id: str, revision: int) -> dict[str, object]:
    """Write a track's record. A repeat finds it written. `revision` only tells one wish from the next."""
    done = await publish(track_id)
    return {"uri": done.uri, "cid": done.cid, "state": done.state}


schedule_publication = scheduler(publish_track)


def _revision(row: PdsRecord | None) -> int:
    return row.wanted_revision if row else 0


def _owner(track: Track) -> str:
    if track.artist_did is None:
        raise Conflict("the track belongs to no account, so there is no server it could be published on")
    return track.artist_did


async def _track(unit: Unit, track_id: str) -> Track:
    track = await unit.session.get(Track, track_id)
    if track is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    return track


async def _shown(unit: Unit, track_id: str) -> tuple[Track, TrackVersion]:
    track = await _track(unit, track_id)
    version = await unit.session.get(TrackVersion, track.current_version_id) if track.current_version_id else None
    if version is None or version.status != VersionStatus.READY:
        raise Conflict(f"the track is {version.status if version else 'empty'}: it can be published once it plays")
    return track, version


async def _content(unit: Unit, track: Track, version: TrackVersion) -> dict[str, Any]:
    account = await unit.session.get(Account, track.artist_did)
    content: dict[str, Any] = {
        "title": track.title,
        "artist": track.artist or (account.handle if account else _owner(track)),
        "fileType": (version.codec or "unknown")[:FILE_TYPE_LIMIT],
        "audioUrl": f"{get_settings().http.http_public_url}/tracks/{track.id}/hls/master.m3u8",
        "createdAt": protocol_time(track.created_at),
    }
    if track.gated:
        content["supportGate"] = {"type": "any"}
    if (blob := await blob_of(unit, track, version)) is not None:
        content["audioBlob"] = blob
    if version.duration_s is not None:
        content["duration"] = round(version.duration_s)
    return content


def protocol_time(moment: datetime) -> str:
    """A moment as records write it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
