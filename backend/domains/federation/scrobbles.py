"""Scrobbles: what somebody heard, on their own server, as teal.fm reads it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from backend.db.base import now
from backend.db.models.federation import Account, PdsRecord, Play
from backend.db.models.media import Track, TrackVersion
from backend.db.session import Unit, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.preferences import get_preferences
from backend.domains.federation.publication import protocol_time
from backend.domains.federation.records import want
from backend.domains.federation.tid import tid_of
from backend.domains.federation.writing import RETRY, TIMEOUT_S, bring
from backend.runtime import scheduler, task
from backend.settings import get_settings

CURRENT_FOR = timedelta(seconds=600)
NAME_BYTES = 256  # teal's limit
AGENT_VERSION = "1.0"


@dataclass(frozen=True)
class Scrobble:
    """The addresses that were written. `play` is null when there is nothing to write, `status` when that is over."""

    play: str | None = None
    status: str | None = None


async def scrobble(play_id: str) -> Scrobble:
    """Write a play to its listener's server, and that it is what they hear now, if it still is.

    Nothing is written for a play of nobody, of a track that was removed, or of who does not want it any more. Raises what
    `bring` does.
    """
    async with unit_of_work() as unit:
        record = await _want_play(unit, play_id)
    if record is None:
        return Scrobble()
    done = await bring(record.id)
    async with unit_of_work() as unit:
        status = await _want_status(unit, play_id, record)
    return Scrobble(done.uri, (await bring(status.id)).uri if status else None)


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="scrobble:{play_id}")
async def scrobble_to_teal(play_id: str) -> dict[str, object]:
    """Write a play for teal.fm. A repeat finds it written: its key and its time are those of the play."""
    return vars(await scrobble(play_id))


schedule_scrobble = scheduler(scrobble_to_teal)


async def _want_play(unit: Unit, play_id: str) -> PdsRecord | None:
    play = await unit.session.get(Play, play_id)
    if play is None or play.did is None or not (await get_preferences(play.did)).scrobble:
        return None
    # Two plays of the same microsecond differ in their ids.
    rkey = tid_of(round(play.played_at.timestamp() * 1_000_000), UUID(play.id).int)
    return await want(unit, play.did, Kind.PLAY, play.id, await _content(unit, play), rkey)


async def _want_status(unit: Unit, play_id: str, record: PdsRecord) -> PdsRecord | None:
    play = await unit.session.get(Play, play_id)
    if play is None or play.did is None or play.played_at + CURRENT_FOR <= now():
        return None
    newest = select(Play.id).where(Play.did == play.did).order_by(Play.played_at.desc(), Play.id.desc()).limit(1)
    if await unit.session.scalar(newest) != play_id or record.wanted is None:
        return None
    content = {
        "time": protocol_time(play.played_at),
        "expiry": protocol_time(play.played_at + CURRENT_FOR),
        "item": {name: value for name, value in record.wanted.items() if name != "$type"},
    }
    return await want(unit, play.did, Kind.STATUS, "now", content)


async def _content(unit: Unit, play: Play) -> dict[str, Any]:
    track = await unit.session.get_one(Track, play.track_id)
    artist = await unit.session.scalar(select(Account.handle).where(Account.did == track.artist_did))
    length = await unit.session.scalar(
        select(TrackVersion.duration_s).where(TrackVersion.id == track.current_version_id)
    )
    settings = get_settings()
    content: dict[str, Any] = {
        "trackName": _fitting(track.title),
        "artists": [{"artistName": _fitting(track.artist or artist or track.artist_did or "Unknown artist")}],
        "originUri": f"{settings.http.http_public_url}/t/{track.id}",
        "musicServiceUri": settings.http.http_public_url,
        "submissionClientAgent": f"{settings.network.nsid_authority}/{AGENT_VERSION}",
        "playedTime": protocol_time(play.played_at),
    }
    if length is not None:
        content["duration"] = round(length)
    return content


def _fitting(name: str) -> str:
    """As much of a name as teal takes."""
    return name.encode()[:NAME_BYTES].decode(errors="ignore")
