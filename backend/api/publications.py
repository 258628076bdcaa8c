"""Publication over HTTP: a track's record on its artist's own server. Only its owner sees and changes it."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, Field

from backend.api import examples
from backend.api.caller import Caller, SignedIn
from backend.api.problems import problems
from backend.domains.federation import publication
from backend.domains.federation.publication import Publication
from backend.domains.federation.records import RecordView

router = APIRouter(prefix="/tracks/{track_id}/publication", tags=["publication"])

TrackId = Annotated[str, Path(description="The track's id.", examples=[examples.TRACK_ID])]

PUBLICATION = {
    "id": "0192a6b1-8a00-7c2a-8b11-2d3e4f506172",
    "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/fm.backline.track/3n3e72artvamd",
    "cid": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "state": "written",
    "error": None,
    "revision": 1,
    "updated_at": "2026-11-23T09:14:03Z",
}
REQUESTED = {
    "publication": PUBLICATION | {"cid": None, "state": "pending"},
    "run_id": examples.RUN_ID,
    "links": {"self": f"/tracks/{examples.TRACK_ID}/publication", "stream": f"/runs/{examples.RUN_ID}/stream"},
}


class Requested(BaseModel):
    """A record that will be written or deleted, and the run that does it."""

    publication: RecordView = Field(description="Its `uri` holds already.")
    run_id: str | None
    links: dict[str, str]

    @classmethod
    def of(cls, track_id: str, found: Publication) -> "Requested":
        """From the domain's answer."""
        links = {"self": f"/tracks/{track_id}/publication", "stream": f"/runs/{found.run_id}/stream"}
        return cls(publication=found.record, run_id=found.run_id, links=links)


@router.put(
    "",
    summary="Publish a track",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(REQUESTED)} | problems(401, 403, 404, 409, 422, 503),
)
async def publish_track(track_id: TrackId, caller: SignedIn) -> Requested:
    """Write the track's record to the artist's own server, or bring it up to date. Repeat it as often as you like."""
    await _must_own(track_id, caller)
    return Requested.of(track_id, await publication.request_publication(track_id))


@router.get(
    "", summary="Show a publication", responses={200: examples.shown(PUBLICATION)} | problems(401, 403, 404, 503)
)
async def show_publication(track_id: TrackId, caller: SignedIn) -> RecordView:
    """`written`, `deleted`, `pending`, `waiting_for_sign_in`, `failing` or `refused`; `error` says why it is not there."""
    await _must_own(track_id, caller)
    return await publication.get_publication(track_id)


@router.delete(
    "",
    summary="Withdraw a publication",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(REQUESTED)} | problems(401, 403, 404, 409, 503),
)
async def withdraw_publication(track_id: TrackId, caller: SignedIn) -> Requested:
    """Delete the track's record from the artist's own server. The track stays here."""
    await _must_own(track_id, caller)
    return Requested.of(track_id, await publication.withdraw_publication(track_id))


async def _must_own(track_id: str, caller: Caller) -> None:
    caller.must_own(await publication.owner_of(track_id))
