"""Runs over HTTP: find them, look at one, follow it live, cancel it, requeue it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.sse import KEEPALIVE, RECONNECT, EventStream, encode, with_pauses
from backend.api.state import AppSettings, Closing
from backend.db.models.runs import State
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.runtime.views import RunView
from backend.runtime.watch import watch_run

router = APIRouter(prefix="/runs", tags=["runs"], route_class=SmallBody, dependencies=[LOOKS])

RunId = Annotated[str, Path(description="The run's id.", examples=[examples.RUN["id"]])]


class RunPage(BaseModel):
    """Some runs, newest first."""

    items: list[RunView]
    next: str | None = Field(description="Path of the next page; null on the last one.")


class Requeue(BaseModel):
    """How to run it again."""

    args: dict[str, Any] | None = Field(None, description="New arguments. Left out: the same as before.")


class RunQuery(BaseModel):
    """What is asked for in the query. A name that is not known is an error, not a filter that filters nothing."""

    model_config = ConfigDict(extra="forbid")

    state: list[State] | None = Field(None, description="One or more states.")
    task: str | None = Field(None, description="Name of the task.", examples=["transcode_version"])
    queue: str | None = Field(None, description="Name of the queue.", examples=["media"])
    key: str | None = Field(None, description="The run's unique key, whole.")
    text: str | None = Field(None, description="Part of the error, the task, the key or the id.", max_length=200)
    created_after: AwareDatetime | None = Field(None, description="ISO 8601 with a time zone.")
    created_before: AwareDatetime | None = Field(None, description="ISO 8601 with a time zone.")
    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Runs on one page.")

    def to_filter(self) -> RunFilter:
        """The same, as the ledger takes it."""
        return RunFilter(**self.model_dump(exclude={"cursor", "limit"}))


@router.get("", summary="List runs", responses={200: examples.shown(examples.RUN_PAGE)} | problems(*REFUSED, 422, 503))
async def list_runs(request: Request, query: Annotated[RunQuery, Query()]) -> RunPage:
    """Runs that match every given filter, newest first. Follow `next` for more."""
    found = await runs.list_runs(query.to_filter(), limit=query.limit + 1, before=query.cursor)
    items, following = page(request, found, query.limit)
    return RunPage(items=items, next=following)


@router.get(
    "/{run_id}", summary="Show a run", responses={200: examples.shown(examples.RUN)} | problems(*REFUSED, 404, 503)
)
async def show_run(run_id: RunId) -> RunView:
    """One run with every attempt, each with its error, its traceback and its log."""
    return await runs.get_run(run_id)


@router.post(
    "/{run_id}/cancel",
    dependencies=[ACTS],
    summary="Cancel a run",
    responses={200: examples.shown(examples.CANCELLED_RUN)} | problems(*REFUSED, 404, 409, 503),
)
async def cancel_run(run_id: RunId) -> RunView:
    """Cancel a run that has not ended. A running one is stopped with its children; follow its stream for the end."""
    return await runs.cancel_run(run_id)


@router.post(
    "/{run_id}/requeue",
    dependencies=[ACTS],
    summary="Requeue a run",
    responses={200: examples.shown(examples.WAITING_RUN)} | problems(*REFUSED, 400, 404, 409, 422, 503),
)
async def requeue_run(run_id: RunId, how: Annotated[Requeue | None, Body()] = None) -> RunView:
    """Run a run that has ended once more, as it was or with edited arguments. Its earlier attempts stay."""
    return await runs.requeue_run(run_id, how.args if how else None)


@router.get(
    "/{run_id}/stream",
    summary="Follow a run",
    response_class=EventStream,
    status_code=200,
    responses={200: examples.streamed(examples.STREAM)} | problems(*REFUSED, 404, 422, 503),
)
async def stream_run(
    run_id: RunId,
    settings: AppSettings,
    closing: Closing,
    last_event_id: Annotated[int | None, Header(description="The last `id` that was seen, to go on after it.")] = None,
) -> EventStream:
    """Server-sent events: `state` and `progress` with the whole run as JSON, then one `end`, then the stream closes."""
    await runs.get_run(run_id)
    return EventStream(follow(run_id, last_event_id, settings.http.sse_keepalive_s, closing))


async def follow(
    run_id: str,
    last_event_id: int | None,
    keepalive: float,
    closing: asyncio.Event,
    show: Callable[[dict[str, Any]], object] = lambda run: run,
) -> AsyncGenerator[bytes, None]:
    """The events of a run as they go over the wire, from the one after `last_event_id`, to its end.

    `show` gives what is told of the run.
    """
    yield RECONNECT
    number, run = last_event_id, None
    async with aclosing(with_pauses(watch_run(run_id, last_event_id), keepalive, closing)) as events:
        async for event in events:
            if event is None:
                yield KEEPALIVE
                continue
            number, run = event.id, event.run
            yield encode(event.kind, show(run), number)
    if not closing.is_set():
        yield encode("end", show(run or asdict(await runs.get_run(run_id))), number)
