"""Albums over HTTP: everybody reads them, their artist makes and orders them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import Caller, SignedIn
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.publications import PUBLICATION
from backend.domains.federation import albums
from backend.domains.federation.albums import AlbumLine, AlbumView
from backend.domains.federation.records import RecordView
from backend.domains.media.listing import TrackLine, list_these
from backend.domains.media.names import shown_name
from backend.errors import InvalidInput

router = APIRouter(prefix="/albums", tags=["albums"], route_class=SmallBody)

ALBUM_ID = "0192a6b1-a211-7b34-9f0e-1c2d3e4f5a6b"
AlbumId = Annotated[str, Path(description="The album's id.", examples=[ALBUM_ID])]
Title = Annotated[str, Field(max_length=500, examples=["Night"])]
Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,36}$")]
TrackIds = Annotated[list[Id], Field(description="The artist's own tracks, at most 500, in their order.")]

LINE = {
    "id": ALBUM_ID,
    "artist_did": PUBLICATION["did"],
    "title": "Night",
    "tracks": 1,
    "created_at": "2026-11-23T09:20:00Z",
}
ALBUM = LINE | {"tracks": examples.TRACK_PAGE["items"], "links": {"self": f"/albums/{ALBUM_ID}"}}
LIST = PUBLICATION | {"uri": PUBLICATION["uri"].replace(".track/", ".list/")}


class Album(BaseModel):
    """An album with its tracks in their order, gated ones too: those only their artist can play."""

    id: str
    artist_did: str
    title: str
    tracks: list[TrackLine]
    created_at: datetime
    links: dict[str, str]

    @classmethod
    async def of(cls, view: AlbumView) -> "Album":
        """From the domain's view."""
        tracks = await list_these(view.track_ids)
        here = {"self": f"/albums/{view.id}"}
        return cls(id=view.id, artist_did=view.artist_did, title=view.title, tracks=tracks, created_at=view.created_at,
                   links=here)  # fmt: skip


class AlbumQuery(BaseModel):
    """What is asked for in the query."""

    model_config = ConfigDict(extra="forbid")

    artist_did: str | None = Field(
        None, pattern=r"^did:[0-9A-Za-z._:%-]{1,250}$", description="Only albums of this account."
    )
    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Albums on one page.")


class AlbumPage(BaseModel):
    """Some albums, newest first."""

    items: list[AlbumLine]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class NewAlbum(BaseModel):
    """What an album begins with."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    track_ids: TrackIds = []


class NewTitle(BaseModel):
    """What the album is called from now on."""

    model_config = ConfigDict(extra="forbid")

    title: Title


class NewOrder(BaseModel):
    """Which tracks the album has from now on."""

    model_config = ConfigDict(extra="forbid")

    track_ids: TrackIds


@router.post(
    "",
    summary="Make an album",
    status_code=status.HTTP_201_CREATED,
    responses={201: examples.shown(ALBUM)} | problems(401, 403, 413, 422, 503),
)
async def create_album(caller: SignedIn, new: NewAlbum) -> Album:
    """A new album of the caller. Once a track of it is published, its list is written to the caller's own server."""
    return await Album.of(await albums.create_album(caller.did, _shown(new.title), new.track_ids))


@router.get(
    "", summary="List albums", responses={200: examples.shown({"items": [LINE], "next": None})} | problems(422, 503)
)
async def list_albums(request: Request, query: Annotated[AlbumQuery, Query()]) -> AlbumPage:
    """Every album, or those of one artist, newest first. Follow `next` for more."""
    found = await albums.list_albums(query.artist_did, query.limit + 1, query.cursor)
    items, following = page(request, found, query.limit)
    return AlbumPage(items=items, next=following)


@router.get("/{album_id}", summary="Show an album", responses={200: examples.shown(ALBUM)} | problems(404, 503))
async def show_album(album_id: AlbumId) -> Album:
    """The album with its tracks in their order."""
    return await Album.of(await albums.get_album(album_id))


@router.patch(
    "/{album_id}",
    summary="Rename an album",
    responses={200: examples.shown(ALBUM)} | problems(401, 403, 404, 413, 422, 503),
)
async def rename_album(album_id: AlbumId, caller: SignedIn, new: NewTitle) -> Album:
    """Give it another title. Its list follows within seconds."""
    await _must_own(album_id, caller)
    return await Album.of(await albums.rename_album(album_id, _shown(new.title)))


@router.put(
    "/{album_id}/tracks",
    summary="Order an album",
    responses={200: examples.shown(ALBUM)} | problems(401, 403, 404, 413, 422, 503),
)
async def order_album(album_id: AlbumId, caller: SignedIn, order: NewOrder) -> Album:
    """These tracks and no others, in this order. Its list follows within seconds, once for many changes."""
    await _must_own(album_id, caller)
    return await Album.of(await albums.order_tracks(album_id, order.track_ids))


@router.get(
    "/{album_id}/list",
    summary="Show where an album's list stands",
    responses={200: examples.shown(LIST)} | problems(401, 403, 404, 503),
)
async def show_album_list(album_id: AlbumId, caller: SignedIn) -> RecordView:
    """The record on the artist's own server: `written`, `deleted`, `pending`, or why it is not there."""
    await _must_own(album_id, caller)
    return await albums.album_list(album_id)


@router.delete(
    "/{album_id}",
    summary="Remove an album",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(401, 403, 404, 503),
)
async def remove_album(album_id: AlbumId, caller: SignedIn) -> None:
    """Remove the album, and its list from the artist's own server. The tracks stay."""
    await _must_own(album_id, caller)
    await albums.remove_album(album_id)


async def _must_own(album_id: str, caller: Caller) -> None:
    caller.must_own((await albums.get_album(album_id)).artist_did)


def _shown(title: str) -> str:
    name = shown_name(title)
    if name is None:
        raise InvalidInput("a title needs something to show", field="title")
    return name
