"""Plays: counted once for each time that somebody hears a track, and no more about nobody."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Play
from backend.db.models.media import Track, TrackVersion, VersionStatus
from backend.db.session import Unit, unit_of_work
from backend.domains.federation.preferences import get_preferences
from backend.domains.federation.scrobbles import schedule_scrobble
from backend.domains.federation.vault import pseudonym
from backend.errors import Conflict, NotFound

UNKNOWN_LENGTH = timedelta(seconds=30)


@dataclass(frozen=True)
class PlayView:
    """What became of a play. `counted` is false for one that goes on; `run_id` is the run that scrobbles it, if any."""

    track_id: str
    counted: bool
    play_count: int
    run_id: str | None


async def count_play(track_id: str, did: str | None, address: str) -> PlayView:
    """Somebody hears a track: `did` or, when nobody is signed in, whoever calls from `address`, which is not kept.

    The same listener counts again once the track could have been heard to its end. Raises NotFound, and Conflict when it
    does not play.
    """
    async with unit_of_work() as unit:
        # Its row is held until the end, so a play that is told of twice at once counts once.
        held = select(Track).where(Track.id == track_id).with_for_update().execution_options(populate_existing=True)
        track = await unit.session.scalar(held)
        if track is None:
            raise NotFound(f"there is no track {track_id}", field="track_id")
        moment = now()
        length, listener = await _length(unit, track), did or _nobody(track_id, address, moment)
        before = select(Play.id).filter_by(track_id=track_id, listener=listener).where(Play.played_at > moment - length)
        if await unit.session.scalar(before.limit(1)) is not None:
            return PlayView(track_id, False, track.play_count, None)
        track.play_count += 1
        play = Play(id=new_id(), track_id=track_id, did=did, listener=listener, played_at=moment)
        unit.session.add(play)
        scrobbles = did is not None and (await get_preferences(did)).scrobble
        run_id = (await schedule_scrobble(play.id)).id if scrobbles else None
        return PlayView(track_id, True, track.play_count, run_id)


async def _length(unit: Unit, track: Track) -> timedelta:
    shown = select(TrackVersion).where(TrackVersion.id == track.current_version_id)
    version = await unit.session.scalar(shown)
    if version is None or version.status != VersionStatus.READY:
        raise Conflict("the track does not play yet, so nobody heard it")
    return UNKNOWN_LENGTH if version.duration_s is None else timedelta(seconds=version.duration_s)


def _nobody(track_id: str, address: str, moment: datetime) -> str:
    # Of this track and this day, so that it links nobody's plays to each other.
    return pseudonym(f"{address} {track_id} {moment.date()}")
