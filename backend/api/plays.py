"""Plays over HTTP: a player says that a track is heard."""

from fastapi import APIRouter, Request, status

from backend.api import examples
from backend.api.caller import MaybeCaller, person_of
from backend.api.problems import problems
from backend.api.publications import TrackId
from backend.domains.federation import plays
from backend.domains.federation.plays import PlayView
from backend.domains.media.access import check_hearing

router = APIRouter(prefix="/tracks/{track_id}/plays", tags=["plays"])

PLAY = {"track_id": examples.TRACK_ID, "counted": True, "play_count": 1284, "run_id": None}


@router.post(
    "",
    summary="Count a play",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(PLAY)} | problems(401, 403, 404, 409, 503),
)
async def count_play(request: Request, track_id: TrackId, caller: MaybeCaller) -> PlayView:
    """Say that the caller hears a track. They count again once it could have been heard to its end.

    For a caller who chose to scrobble, a run writes it to their own server. Nobody's address is kept.
    """
    await check_hearing(track_id, person_of(caller))
    address = request.client.host if request.client else "unknown"
    return await plays.count_play(track_id, caller.did if caller else None, address)
