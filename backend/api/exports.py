"""Exports over HTTP: an artist takes everything along. Only the owner sees them."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.caller import Caller, SignedIn
from backend.api.export_examples import EXPORT, EXPORT_PAGE, EXPORT_REQUESTED
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.runs import follow
from backend.api.sse import EventStream
from backend.api.state import AppSettings, Closing
from backend.domains.media import exports
from backend.domains.media.exports import ExportView

router = APIRouter(prefix="/exports", tags=["exports"])

ExportId = Annotated[str, Path(description="The export's id.", examples=[EXPORT["id"]])]


class Requested(BaseModel):
    """An export that is under way, and where to go from here."""

    export: ExportView
    links: dict[str, str]


class ExportPage(BaseModel):
    """Some exports, newest first."""

    items: list[ExportView]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class ExportQuery(BaseModel):
    """What is asked for in the query."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Exports on one page.")


@router.post(
    "",
    summary="Export all tracks",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(EXPORT_REQUESTED)} | problems(401, 404, 409, 503),
)
async def request_export(caller: SignedIn) -> Requested:
    """Pack the originals of the caller's tracks into one archive. While one is under way, that one is given back."""
    made = await exports.request_export(caller.did)
    here = f"/exports/{made.id}"
    return Requested(export=made, links={"self": here, "stream": f"{here}/stream", "download": f"{here}/download"})


@router.get("", summary="List exports", responses={200: examples.shown(EXPORT_PAGE)} | problems(401, 422, 503))
async def list_exports(request: Request, caller: SignedIn, query: Annotated[ExportQuery, Query()]) -> ExportPage:
    """The caller's exports, newest first. Follow `next` for more."""
    found = await exports.list_exports(caller.did, query.limit + 1, query.cursor)
    items, following = page(request, found, query.limit)
    return ExportPage(items=items, next=following)


@router.get(
    "/{export_id}",
    summary="Show an export",
    responses={200: examples.shown(EXPORT)} | problems(401, 403, 404, 503),
)
async def show_export(export_id: ExportId, caller: SignedIn) -> ExportView:
    """`preparing`, `ready`, `failed` or `gone`. What is not in the archive is in its manifest, with the reason."""
    return await _own(export_id, caller)


@router.get(
    "/{export_id}/stream",
    summary="Follow an export",
    response_class=EventStream,
    status_code=200,
    responses={200: examples.streamed(examples.STREAM)} | problems(401, 403, 404, 422, 503),
)
async def stream_export(
    export_id: ExportId,
    caller: SignedIn,
    settings: AppSettings,
    closing: Closing,
    last_event_id: Annotated[int | None, Header(description="The last `id` that was seen, to go on after it.")] = None,
) -> EventStream:
    """The events of the export's run: progress is counted in bytes."""
    found = await _own(export_id, caller)
    return EventStream(follow(found.run_id or "", last_event_id, settings.http.sse_keepalive_s, closing))


@router.get(
    "/{export_id}/download",
    summary="Download an export",
    status_code=status.HTTP_307_TEMPORARY_REDIRECT,
    response_class=RedirectResponse,
    responses=problems(401, 403, 404, 409, 503),
)
async def download_export(export_id: ExportId, caller: SignedIn) -> RedirectResponse:
    """A redirect to a link that ends after a quarter of an hour."""
    link = await exports.link_of(await _own(export_id, caller))
    return RedirectResponse(link, status.HTTP_307_TEMPORARY_REDIRECT, {"Cache-Control": "no-store"})


@router.delete(
    "/{export_id}",
    summary="Remove an export",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(401, 403, 404, 503),
)
async def remove_export(export_id: ExportId, caller: SignedIn) -> None:
    """Stop it if it is under way, and remove the archive."""
    await exports.remove_export(await _own(export_id, caller))


async def _own(export_id: str, caller: Caller) -> ExportView:
    found = await exports.find_export(export_id)
    caller.must_own(found.artist_did)
    return found
