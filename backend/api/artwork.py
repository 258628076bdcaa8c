"""Artwork over HTTP: a track's picture, and a small one."""

from fastapi import APIRouter, Request, Response

from backend.api import examples
from backend.api.caller import MaybeCaller, person_of
from backend.api.media_delivery import deliver_media
from backend.api.problems import problems
from backend.api.tracks import TrackId
from backend.domains.media.artwork import artwork_object

router = APIRouter(prefix="/tracks", tags=["tracks"])

PICTURE = examples.media("image/jpeg") | problems(401, 403, 404, 416, 503)


@router.head("/{track_id}/artwork.jpg", include_in_schema=False)
@router.get("/{track_id}/artwork.jpg", summary="Fetch the artwork", response_class=Response, responses=PICTURE)
async def show_artwork(request: Request, track_id: TrackId, caller: MaybeCaller) -> Response:
    """The cover that came with the track, or one that was drawn for it: JPEG, at most 3000 pixels long."""
    return await deliver_media(request, await artwork_object(track_id, person=person_of(caller)))


@router.head("/{track_id}/thumbnail.jpg", include_in_schema=False)
@router.get("/{track_id}/thumbnail.jpg", summary="Fetch the thumbnail", response_class=Response, responses=PICTURE)
async def show_thumbnail(request: Request, track_id: TrackId, caller: MaybeCaller) -> Response:
    """The middle of the artwork: JPEG, 200 x 200 pixels."""
    return await deliver_media(request, await artwork_object(track_id, thumbnail=True, person=person_of(caller)))
