"""What owners do with their tracks over HTTP: replace the audio, go back to a version, remove one or all."""

from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.api import examples
from backend.api.caller import SignedIn
from backend.api.multipart import incoming_file
from backend.api.paging import page
from backend.api.problems import problems
from backend.api.state import AppSettings
from backend.api.tracks import UPLOAD_BODY, Track, TrackId, TrackQuery, refuse_at_once
from backend.api.version_examples import REPLACED, VERSION_PAGE
from backend.db.session import unit_of_work
from backend.domains.federation.albums import schedule_lists_with
from backend.domains.federation.publication import forget_publication
from backend.domains.federation.save_audio import close_audio
from backend.domains.media import history, tracks
from backend.domains.media.access import check_owner
from backend.domains.media.changes import change_track as change
from backend.domains.media.history import VersionLine
from backend.domains.media.upload import replace_audio

router = APIRouter(prefix="/tracks/{track_id}", tags=["own tracks"])

VersionId = Annotated[str, Path(description="The version's id.", examples=[examples.VERSION_ID])]
REFUSED = (401, 403, 404)


class VersionPage(BaseModel):
    """Some versions of a track, newest first."""

    items: list[VersionLine]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class Changes(BaseModel):
    """What should be different. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(None, max_length=500, description="The new title.", examples=["Night Drive"])
    gated: StrictBool | None = Field(None, description="Whether only its owner may hear it.")


class Replaced(BaseModel):
    """A new version that was taken in. It is shown once it is ready."""

    version_id: str
    run_ids: list[str]
    links: dict[str, str]


@router.patch(
    "",
    summary="Change a track",
    responses={200: examples.shown(examples.TRACK)} | problems(*REFUSED, 422, 503),
)
async def change_track(track_id: TrackId, caller: SignedIn, changes: Changes) -> Track:
    """Change the title, or open and close the gate. A run then moves the audio between the buckets: see `runs`."""
    async with unit_of_work():
        await change(track_id, caller.person, changes.title, changes.gated)
        if changes.gated:
            # On the artist's own server it is open to everybody until then.
            await close_audio(track_id)
    return Track.of(await tracks.get_track(track_id, caller.person))


@router.put(
    "/audio",
    summary="Replace a track's audio",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(REPLACED)} | problems(*REFUSED, 413, 415, 422, 503),
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def replace_track_audio(request: Request, track_id: TrackId, settings: AppSettings, caller: SignedIn) -> Replaced:
    """Send audio as for an upload. The track plays its old version until the new one is ready, and keeps both."""
    await check_owner(track_id, caller.person)
    refuse_at_once(request, settings)
    file = await incoming_file(request)
    async with aclosing(file.chunks):
        made = await replace_audio(track_id, caller.person, file.chunks, file.name)
    here = f"/tracks/{track_id}"
    links = {"track": here, "versions": f"{here}/versions", "runs": f"/runs?text={made.version_id}"}
    links["stream"] = f"{here}/steps/{made.run_id}/stream"
    return Replaced(version_id=made.version_id, run_ids=[made.run_id], links=links)


@router.get(
    "/versions",
    summary="List a track's versions",
    responses={200: examples.shown(VERSION_PAGE)} | problems(*REFUSED, 422, 503),
)
async def list_versions(
    request: Request, track_id: TrackId, caller: SignedIn, query: Annotated[TrackQuery, Query()]
) -> VersionPage:
    """Every version, newest first, with the one that is shown and the one that follows it. Follow `next` for more."""
    found = await history.list_versions(track_id, caller.person, query.limit + 1, query.cursor)
    items, following = page(request, found, query.limit)
    return VersionPage(items=items, next=following)


@router.post(
    "/versions/{version_id}/restore",
    summary="Go back to a version",
    responses={200: examples.shown(examples.TRACK)} | problems(*REFUSED, 409, 503),
)
async def restore_version(track_id: TrackId, version_id: VersionId, caller: SignedIn) -> Track:
    """Show a version that is ready. One that is still in the making will not take its place."""
    await history.restore_version(track_id, version_id, caller.person)
    return Track.of(await tracks.get_track(track_id, caller.person))


@router.delete(
    "/versions/{version_id}",
    summary="Remove a version",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(*REFUSED, 409, 503),
)
async def remove_version(track_id: TrackId, version_id: VersionId, caller: SignedIn) -> None:
    """Remove a version that is not shown. Its runs are cancelled, and its files go after a while."""
    await history.remove_version(track_id, version_id, caller.person)


@router.delete(
    "",
    summary="Remove a track",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(*REFUSED, 503),
)
async def remove_track(track_id: TrackId, caller: SignedIn) -> None:
    """Remove a track with all its versions and its record. Its runs are cancelled, and its files go after a while."""
    async with unit_of_work():
        await schedule_lists_with(track_id)
        await history.remove_track(track_id, caller.person)
        await forget_publication(track_id)
