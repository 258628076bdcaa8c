"""The curators' queue as their own clients know it: `/queue/stats`, `/jobs/...` and `/history`, a view of the runner."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.problems import problems
from backend.api.sse import KEEPALIVE, RECONNECT, EventStream, encode, with_pauses
from backend.api.state import AppSettings, Closing
from backend.db.base import now
from backend.db.models.runs import ACTIVE, State
from backend.errors import NotFound
from backend.runtime import queues, runs
from backend.runtime.bulk import purge_matching
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter
from backend.runtime.views import RunView
from backend.runtime.watch import watch_run

router = APIRouter(tags=["curators' jobs"], route_class=SmallBody, dependencies=[LOOKS])

QUEUE = "curation"
DEFAULT_CONCURRENCY = 2
PAGE = 50
CLEARED_AT_ONCE = 1000
OLD = timedelta(days=30)
CANCELLED = "Job cancelled by user"

JobId = Annotated[str, Path(description="The job's id: that of its run.", examples=[examples.RUN["id"]])]


class JobStatus(StrEnum):
    """Where a job stands, in the words of the curators."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"  # also one that was cancelled; `error` says so


class QueueStats(BaseModel):
    """The queue at this moment."""

    pending: int = Field(description="Jobs that wait.")
    size: int = Field(description="Jobs that wait, and those at work.")
    active: int = Field(description="Jobs at work.")
    concurrency: int = Field(description="Jobs at work at most.")


class JobProgress(BaseModel):
    """How far a job is. `eta` is in milliseconds."""

    current: float
    total: float
    percent: float
    message: str
    eta: int | None
    sourceCounts: dict[str, int]


def _milliseconds(moment: datetime | str | None) -> int | None:
    if moment is None:
        return None
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return round(read.timestamp() * 1000)


class Job(BaseModel):
    """A job. Moments are milliseconds since 1970."""

    id: str
    type: str
    status: JobStatus
    started: int | None
    finished: int | None
    error: str | None
    progress: JobProgress

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> "Job":
        """From a run, field by field as a `RunView` has them."""
        cancelled, progress = run["state"] == State.CANCELLED, run["progress"] or {}
        eta = progress.get("eta_s")
        return cls(
            id=run["id"],
            type=run["args"].get("window") or run["task"].replace("_", "-"),
            status=_STATUS.get(run["state"], JobStatus.FAILED),
            started=_milliseconds(run["started_at"]),
            finished=_milliseconds(run["finished_at"]),
            error=CANCELLED if cancelled else run["error"],
            progress=JobProgress(
                current=progress.get("current") or 0,
                total=progress.get("total") or 0,
                percent=progress.get("percent") or 0,
                message=progress.get("message") or "",
                eta=None if eta is None else round(eta * 1000),
                sourceCounts=progress.get("counts") or {},
            ),
        )


_STATUS = {
    State.WAITING: JobStatus.QUEUED,
    State.QUEUED: JobStatus.QUEUED,
    State.SCHEDULED: JobStatus.QUEUED,
    State.RUNNING: JobStatus.RUNNING,
    State.SUCCEEDED: JobStatus.SUCCESS,
}
_STATES = {
    JobStatus.QUEUED: [State.WAITING, State.QUEUED, State.SCHEDULED],
    JobStatus.RUNNING: [State.RUNNING],
    JobStatus.SUCCESS: [State.SUCCEEDED],
    JobStatus.FAILED: [State.DEAD, State.CANCELLED, State.INTERRUPTED],
}


class History(BaseModel):
    """One page of jobs, newest first."""

    jobs: list[Job]
    page: int
    more: bool = Field(description="Whether another page follows.")


class Cancelled(BaseModel):
    """How many jobs were cancelled."""

    cancelled: int


class Cleared(BaseModel):
    """How many jobs were deleted."""

    deleted: int


class What(StrEnum):
    """Which ended jobs to clear."""

    ALL = "all"
    FAILED = "failed"
    OLD = "old"  # asked for more than 30 days ago


class Clear(BaseModel):
    """What is to be deleted."""

    clearType: What


JOB = Job.of({**examples.RUN, "started_at": None, "finished_at": None, "args": {}}).model_dump(mode="json")


@router.get(
    "/queue/stats",
    summary="Show the curators' queue",
    responses={200: examples.shown({"pending": 3, "size": 5, "active": 2, "concurrency": 2})} | problems(*REFUSED, 503),
)
async def queue_stats() -> QueueStats:
    """How many jobs wait and how many are at work."""
    [view] = [view for view in await queues.list_queues() if view.name == QUEUE]
    pending, active = view.waiting + view.queued + view.scheduled, view.running
    limit = view.concurrency or DEFAULT_CONCURRENCY
    return QueueStats(pending=pending, size=pending + active, active=active, concurrency=limit)


@router.get("/jobs/{job_id}", summary="Show a job", responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 503))
async def show_job(job_id: JobId) -> Job:
    """A job of the curators."""
    return Job.of(vars(await _job(job_id)))


@router.get(
    "/jobs/{job_id}/stream",
    summary="Follow a job",
    response_class=EventStream,
    status_code=200,
    responses={200: examples.streamed('data: {"id":"0192a6b1-…","status":"running",…}\n\n')} | problems(*REFUSED, 503),
)
async def stream_job(job_id: JobId, settings: AppSettings, closing: Closing) -> EventStream:
    """Server-sent events without names, each the job as JSON; one `{"status": "not_found"}` for one that is not there."""
    return EventStream(_follow(job_id, settings.http.sse_keepalive_s, closing))


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Cancel a job",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 409, 503),
)
async def cancel_job(job_id: JobId) -> Job:
    """Cancel a job. One at work stops a moment later; follow its stream for the end."""
    await _job(job_id)
    return Job.of(vars(await runs.cancel_run(job_id)))


@router.get(
    "/history",
    summary="List jobs",
    responses={200: examples.shown({"jobs": [JOB], "page": 1, "more": False})} | problems(*REFUSED, 422, 503),
)
async def list_history(
    window: Annotated[str | None, Query(description="The job's type.")] = None,
    status: JobStatus | None = None,
    dateFrom: AwareDatetime | None = None,
    dateTo: AwareDatetime | None = None,
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> History:
    """Jobs, 50 on a page."""
    where = _where(window, _STATES[status] if status else None, dateFrom, dateTo)
    found = await runs.list_runs(where, limit=PAGE + 1, skip=PAGE * (page - 1))
    return History(jobs=[Job.of(vars(run)) for run in found[:PAGE]], page=page, more=len(found) > PAGE)


@router.post(
    "/history/cancel-running",
    summary="Cancel all jobs at work",
    dependencies=[ACTS],
    responses={200: examples.shown({"cancelled": 2})} | problems(*REFUSED, 503),
)
async def cancel_running() -> Cancelled:
    """Cancel every job that is at work. Each counts once."""
    found = await runs.list_runs(RunFilter(queue=QUEUE, state=[State.RUNNING]), limit=1000)
    ended = [await runs.cancel_run(run.id) for run in found if not run.cancel_requested]
    return Cancelled(cancelled=len(ended))


@router.post(
    "/history/clear",
    summary="Clear ended jobs",
    dependencies=[ACTS],
    responses={200: examples.shown({"deleted": 12})} | problems(*REFUSED, 422, 503),
)
async def clear_history(what: Clear) -> Cleared:
    """Delete ended jobs with their attempts, at most 1000 in one request."""
    states = _STATES[JobStatus.FAILED] if what.clearType is What.FAILED else None
    until = now() - OLD if what.clearType is What.OLD else None
    return Cleared(deleted=(await purge_matching(_where(None, states, None, until), CLEARED_AT_ONCE)).done)


async def _job(job_id: str) -> RunView:
    run = await runs.get_run(job_id)
    if run.queue != QUEUE:
        raise NotFound(f"the curators have no job {job_id}", field="job_id")
    return run


def _where(window: str | None, states: list[State] | None, start: datetime | None, end: datetime | None) -> RunFilter:
    where = RunFilter(queue=QUEUE, state=states, created_after=start, created_before=end)
    if window is None:
        return where
    task = window.replace("-", "_")
    return replace(where, task=task) if task in registry else replace(where, args={"window": window})


async def _follow(job_id: str, keepalive: float, closing: asyncio.Event) -> AsyncGenerator[bytes, None]:
    yield RECONNECT
    try:
        run = await _job(job_id)
    except NotFound:
        yield encode(None, {"status": "not_found"})
        return
    if run.state not in ACTIVE:
        yield encode(None, Job.of(asdict(run)))
        return
    async with aclosing(with_pauses(watch_run(job_id), keepalive, closing)) as events:
        async for event in events:
            yield KEEPALIVE if event is None else encode(None, Job.of(event.run))
