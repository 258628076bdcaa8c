"""Saved audio over HTTP: the sound of a track on its artist's own server. Only its owner asks for it."""

from fastapi import APIRouter, status
from pydantic import BaseModel

from backend._internal.background_tasks import schedule_save_audio
from backend.api import examples
from backend.api.caller import Caller, SignedIn
from backend.api.problems import problems
from backend.api.publications import TrackId
from backend.db.session import unit_of_work
from backend.domains.federation.publication import owner_of
from backend.domains.federation.save_audio import ask_for_audio, drop_audio
from backend.domains.federation.saved_audio import SavedAudioView, get_saved

router = APIRouter(prefix="/tracks/{track_id}/publication/audio", tags=["publication"])

SAVED = {
    "track_id": examples.TRACK_ID,
    "version_id": examples.VERSION_ID,
    "what": "original",
    "blob": {
        "$type": "blob",
        "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
        "mimeType": "audio/x-flac",
        "size": 31_457_280,
    },
    "saved_at": "2026-11-23T09:30:00Z",
}
REQUESTED = {
    "audio": {**dict.fromkeys(SAVED), "track_id": examples.TRACK_ID},
    "run_id": examples.RUN_ID,
    "links": {"self": f"/tracks/{examples.TRACK_ID}/publication/audio", "stream": f"/runs/{examples.RUN_ID}/stream"},
}


class SavingRequested(BaseModel):
    """Audio that will be saved, and the run that does it."""

    audio: SavedAudioView
    run_id: str
    links: dict[str, str]


@router.put(
    "",
    summary="Save audio on the artist's server",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(REQUESTED)} | problems(401, 403, 404, 409, 503),
)
async def save_audio(track_id: TrackId, caller: SignedIn) -> SavingRequested:
    """Put the shown version's original there as a blob, or its best stream where the server has room for no more.

    The track must be published, and open: what lies there, everybody can fetch. Repeat it as often as you like.
    """
    await _must_own(track_id, caller)
    async with unit_of_work() as unit:
        await ask_for_audio(unit, track_id)
        run_id = (await schedule_save_audio(track_id)).id
    links = {"self": f"/tracks/{track_id}/publication/audio", "stream": f"/runs/{run_id}/stream"}
    return SavingRequested(audio=await get_saved(track_id), run_id=run_id, links=links)


@router.get("", summary="Show saved audio", responses={200: examples.shown(SAVED)} | problems(401, 403, 404, 503))
async def show_saved_audio(track_id: TrackId, caller: SignedIn) -> SavedAudioView:
    """What is saved, and as what. `blob` is null while nothing is there: not yet, or because the track is gated."""
    await _must_own(track_id, caller)
    return await get_saved(track_id)


@router.delete(
    "",
    summary="Remove saved audio",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown({"track_id": examples.TRACK_ID})} | problems(401, 403, 404, 409, 503),
)
async def remove_saved_audio(track_id: TrackId, caller: SignedIn) -> dict[str, str]:
    """The track's record stops naming it, and the server drops it soon. The track stays here, and published."""
    await _must_own(track_id, caller)
    await drop_audio(track_id)
    return {"track_id": track_id}


async def _must_own(track_id: str, caller: Caller) -> None:
    caller.must_own(await owner_of(track_id))
