"""Likes over HTTP."""

from fastapi import APIRouter, status

from backend.api import examples
from backend.api.caller import SignedIn
from backend.api.problems import problems
from backend.api.publications import PUBLICATION, TrackId
from backend.domains.federation import likes
from backend.domains.federation.likes import LikeView

router = APIRouter(prefix="/tracks/{track_id}/like", tags=["likes"])

LIKE = {
    "track_id": examples.TRACK_ID,
    "liked": True,
    "likes": 17,
    "record": PUBLICATION | {"uri": PUBLICATION["uri"].replace(".track/", ".like/"), "state": "pending", "cid": None},
}


@router.put(
    "",
    summary="Like a track",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(LIKE)} | problems(401, 403, 404, 409, 503),
)
async def like_track(track_id: TrackId, caller: SignedIn) -> LikeView:
    """It counts at once, and is written to the caller's own server soon. Liking again changes nothing."""
    return await likes.like(caller.did, track_id)


@router.delete(
    "",
    summary="Like a track no more",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(LIKE | {"liked": False, "likes": 16})} | problems(401, 403, 404, 503),
)
async def unlike_track(track_id: TrackId, caller: SignedIn) -> LikeView:
    """The like is gone at once, and its record soon."""
    return await likes.unlike(caller.did, track_id)


@router.get("", summary="Show a like", responses={200: examples.shown(LIKE)} | problems(401, 404, 503))
async def show_like(track_id: TrackId, caller: SignedIn) -> LikeView:
    """Whether the caller likes a track, how many do, and where the caller's record of it stands."""
    return await likes.show_like(caller.did, track_id)
