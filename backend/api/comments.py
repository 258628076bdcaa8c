"""Comments over HTTP: everybody reads them, who is signed in writes them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, status
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import SignedIn
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.publications import PUBLICATION, TrackId
from backend.domains.federation import comments
from backend.domains.federation.comments import LATEST_MS, CommentLine, CommentView
from backend.domains.federation.records import RecordView
from backend.domains.media.access import check_hearing

router = APIRouter(prefix="/tracks/{track_id}/comments", tags=["comments"], route_class=SmallBody)

COMMENT_ID = "0192a6b1-9c44-7d10-a0b2-5e6f70819203"
CommentId = Annotated[str, Path(description="The comment's id.", examples=[COMMENT_ID])]
Text = Annotated[str, Field(description="At most 1,000 characters.", examples=["this bass!"])]

COMMENT = {
    "id": COMMENT_ID,
    "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "handle": "anna.example.com",
    "text": "this bass!",
    "timestamp_ms": 84_200,
    "created_at": "2026-11-23T09:20:00Z",
    "updated_at": None,
}
RECORD = PUBLICATION | {"uri": PUBLICATION["uri"].replace(".track/", ".comment/"), "state": "pending", "cid": None}
OWN = {"comment": COMMENT, "hidden": False, "record": RECORD}


class CommentQuery(BaseModel):
    """What is asked for in the query."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Comments on one page.")


class CommentPage(BaseModel):
    """Some comments, newest first."""

    items: list[CommentLine]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class NewComment(BaseModel):
    """What is said, and about which moment."""

    model_config = ConfigDict(extra="forbid")

    text: Text
    timestamp_ms: StrictInt = Field(0, ge=0, le=LATEST_MS, description="Milliseconds from the start of the track.")


class ChangedComment(BaseModel):
    """The words that take the place of those before."""

    model_config = ConfigDict(extra="forbid")

    text: Text


class Removed(BaseModel):
    """A comment that was removed. `record` says where its deletion stands; null when the record is somebody else's."""

    record: RecordView | None


@router.get(
    "",
    summary="List comments",
    responses={200: examples.shown({"items": [COMMENT], "next": None})} | problems(404, 422, 503),
)
async def list_comments(request: Request, track_id: TrackId, query: Annotated[CommentQuery, Query()]) -> CommentPage:
    """What is said about a track, newest first. Follow `next` for more."""
    found = await comments.list_comments(track_id, query.limit + 1, query.cursor)
    items, following = page(request, found, query.limit)
    return CommentPage(items=items, next=following)


@router.post(
    "",
    summary="Comment on a track",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(OWN)} | problems(401, 403, 404, 409, 413, 422, 503),
)
async def add_comment(track_id: TrackId, caller: SignedIn, new: NewComment) -> CommentView:
    """Say something about a moment. It is shown at once, and written to the caller's own server soon.

    The track must be published, its artist must take comments, and one track shows `COMMENTS_PER_TRACK` at most.
    """
    await check_hearing(track_id, caller.person)
    return await comments.add_comment(caller.did, track_id, new.text, new.timestamp_ms)


@router.get(
    "/{comment_id}",
    summary="Show a comment of one's own",
    responses={200: examples.shown(OWN)} | problems(401, 403, 404, 503),
)
async def show_comment(track_id: TrackId, comment_id: CommentId, caller: SignedIn) -> CommentView:
    """What the caller said, whether the track's owner hides it, and where its record stands."""
    return await comments.show_comment(caller.did, track_id, comment_id)


@router.patch(
    "/{comment_id}",
    summary="Edit a comment",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(OWN)} | problems(401, 403, 404, 413, 422, 503),
)
async def edit_comment(
    track_id: TrackId, comment_id: CommentId, caller: SignedIn, changed: ChangedComment
) -> CommentView:
    """Say it differently. Only who wrote it may; the moment and `created_at` stay."""
    return await comments.edit_comment(caller.did, track_id, comment_id, changed.text)


@router.delete(
    "/{comment_id}",
    summary="Remove a comment",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown({"record": RECORD})} | problems(401, 403, 404, 503),
)
async def remove_comment(track_id: TrackId, comment_id: CommentId, caller: SignedIn) -> Removed:
    """Its author removes it for good, with its record. The track's owner, or an admin, only hides it here."""
    person = caller.person
    return Removed(record=await comments.remove_comment(caller.did, track_id, comment_id, person.admin))
