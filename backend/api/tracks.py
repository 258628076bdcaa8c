"""Tracks over HTTP: upload one, see where it stands, play it."""

from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.caller import UPLOADS, MaybeCaller, person_of
from backend.api.media_delivery import deliver_media
from backend.api.multipart import incoming_file
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.state import AppSettings
from backend.domains.media import listing, tracks
from backend.domains.media.formats import PLAYLIST
from backend.domains.media.listing import TrackLine
from backend.domains.media.tracks import ArtworkView, TrackView, VersionView
from backend.domains.media.upload import MEGABYTE, store_upload
from backend.errors import TooLarge
from backend.settings import Settings

router = APIRouter(prefix="/tracks", tags=["tracks"])

TrackId = Annotated[str, Path(description="The track's id.", examples=[examples.TRACK_ID])]
Format = Annotated[str, Path(description="A streaming format.", examples=["hls_opus"])]
Name = Annotated[str, Path(description="The playlist or a file it names.", examples=["playlist.m3u8"])]
Kind = Annotated[Literal["json", "dat", "png"], Path(description="As data in one of two formats, or as a picture.")]

# What a form may weigh besides its file.
FORM_BYTES = 1_000_000


class Track(BaseModel):
    """A track with the version it shows, and where to go from here."""

    id: str
    title: str
    artist: str | None
    gated: bool
    play_count: int
    artwork: ArtworkView | None
    created_at: datetime
    version: VersionView
    links: dict[str, str] = Field(
        description="`self`, `page`, `steps`, for operators `runs`, and once made: `hls` for every stream, each format's playlist, waveform, artwork."
    )

    @classmethod
    def of(cls, view: TrackView) -> "Track":
        """From the domain's view."""
        here = f"/tracks/{view.id}"
        links = {
            "self": here,
            "page": f"/t/{view.id}",
            "steps": f"{here}/steps",
            "runs": f"/runs?text={view.version.id}",
        }
        if view.version.master_url:
            links["hls"] = f"{here}/hls/master.m3u8"
        for stream in view.version.streams:
            if stream.url:
                links[stream.format] = f"{here}/hls/{stream.format}/playlist.m3u8"
        if view.version.waveform:
            kinds = ("json", "dat", "png") if view.version.waveform.dat_url else ("json", "png")
            links |= {f"waveform_{kind}": f"{here}/waveform.{kind}" for kind in kinds}
        if view.artwork:
            links |= {"artwork": f"{here}/artwork.jpg", "thumbnail": f"{here}/thumbnail.jpg"}
        return cls(**vars(view), links=links)


class TrackQuery(BaseModel):
    """What is asked for in the query."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Tracks on one page.")


class TrackPage(BaseModel):
    """Some tracks, newest first."""

    items: list[TrackLine]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class Uploaded(BaseModel):
    """A track that was taken in, and the run that looks at it first. Others follow it."""

    track: Track
    run_ids: list[str]
    links: dict[str, str]


UPLOAD_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "title": {"type": "string", "description": "Left out: the file's name."},
                    "artist": {"type": "string"},
                    "file": {"type": "string", "format": "binary", "description": "The last field of the form."},
                },
            }
        },
        "audio/*": {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.post(
    "",
    summary="Upload a track",
    dependencies=[UPLOADS],
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(examples.UPLOADED)} | problems(401, 403, 413, 415, 422, 503),
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def upload_track(request: Request, settings: AppSettings, caller: MaybeCaller) -> Uploaded:
    """Send audio as a multipart form (fields first, then the file) or as the bare body with `?title=&artist=&filename=`.

    It streams into private storage and is looked at, made playable and measured in the background: follow the steps.
    What the file is, its first bytes say. Nothing is kept of an upload that is refused or breaks off.
    """
    refuse_at_once(request, settings)
    file = await incoming_file(request)
    async with aclosing(file.chunks):
        title, artist = file.fields.get("title"), file.fields.get("artist")
        made = await store_upload(file.chunks, file.name, title, artist, caller.did if caller else None)
    track = Track.of(await tracks.get_track(made.track_id, person_of(caller)))
    links = {"track": track.links["self"], "runs": track.links["runs"]}
    links["stream"] = f"{track.links['steps']}/{made.run_id}/stream"
    return Uploaded(track=track, run_ids=[made.run_id], links=links)


@router.get("", summary="List tracks", responses={200: examples.shown(examples.TRACK_PAGE)} | problems(422, 503))
async def list_tracks(request: Request, query: Annotated[TrackQuery, Query()]) -> TrackPage:
    """Every track, newest first, with where the version it shows stands. Follow `next` for more."""
    items, following = page(request, await listing.list_tracks(query.limit + 1, query.cursor), query.limit)
    return TrackPage(items=items, next=following)


def refuse_at_once(request: Request, settings: Settings) -> None:
    """What says of itself that it is too large is not read at all."""
    limit = settings.media.upload_limit_mb
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit * MEGABYTE + FORM_BYTES:
        raise TooLarge(f"the file is larger than {limit:,} MB", field="file")


@router.get(
    "/{track_id}", summary="Show a track", responses={200: examples.shown(examples.TRACK)} | problems(401, 404, 503)
)
async def show_track(track_id: TrackId, caller: MaybeCaller) -> Track:
    """A track as it stands: `pending`, `processing`, `ready` or `failed`, and what was made and measured so far."""
    return Track.of(await tracks.get_track(track_id, person_of(caller)))


@router.head("/{track_id}/hls/master.m3u8", include_in_schema=False)
@router.get(
    "/{track_id}/hls/master.m3u8",
    summary="Play a track in the format that suits the player",
    response_class=Response,
    responses=examples.media("application/vnd.apple.mpegurl") | problems(401, 403, 404, 416, 503),
)
async def play_best(request: Request, track_id: TrackId, caller: MaybeCaller) -> Response:
    """The master playlist: every format in which the shown version plays, with codec and bit rates."""
    return await deliver_media(request, await tracks.master_object(track_id, person_of(caller)))


@router.head("/{track_id}/hls/{format}/{name}", include_in_schema=False)
@router.get(
    "/{track_id}/hls/{format}/{name}",
    summary="Play a track",
    response_class=Response,
    responses=examples.media("application/vnd.apple.mpegurl", "audio/mp4", "video/iso.segment")
    | problems(401, 403, 404, 416, 422, 503),
)
async def play_track(request: Request, track_id: TrackId, format: Format, name: Name, caller: MaybeCaller) -> Response:
    """A playlist or a segment of the version that is shown. Give the playlist's URL to any HLS player.

    Of a gated track the owner gets a playlist of signed links, which end after `GATED_LINK_S`; others are refused.
    """
    key = await tracks.stream_object(track_id, format, name, person_of(caller))
    return await deliver_media(request, key, of_links=name == PLAYLIST)


@router.head("/{track_id}/waveform.{kind}", include_in_schema=False)
@router.get(
    "/{track_id}/waveform.{kind}",
    summary="Fetch a waveform",
    response_class=Response,
    responses=examples.media("application/json", "application/octet-stream", "image/png")
    | problems(401, 403, 404, 416, 503),
)
async def show_waveform(request: Request, track_id: TrackId, kind: Kind, caller: MaybeCaller) -> Response:
    """The waveform of the version that is shown: audiowaveform JSON or binary data (version 2), or a PNG, 1800 x 280."""
    return await deliver_media(request, await tracks.waveform_object(track_id, f".{kind}", person_of(caller)))
