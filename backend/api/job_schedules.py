"""Schedules and their logs as the merch desk's own clients know them: `/api/jobs`, `/api/logs` and `/ws/logs`.

A job is a schedule of the runner, named by its task. What a run logged is there when its attempt has ended.
"""

import asyncio
import csv
import io
import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED, may_look
from backend.api.problems import problems
from backend.db.base import now
from backend.db.models.runs import State
from backend.errors import BacklineError
from backend.runtime import schedules
from backend.runtime.cron import parse_timing
from backend.runtime.history import LogFilter, count_lines, forget_logs, list_lines
from backend.runtime.registry import spec_of
from backend.runtime.runs import RunFilter, get_run, list_runs
from backend.runtime.schedules import ScheduleView
from backend.runtime.views import RunView

router = APIRouter(prefix="/api", tags=["scheduled jobs"], route_class=SmallBody, dependencies=[LOOKS])
live = APIRouter()

UPDATE_S = 2.0
RECENT = 20
EXPORTED = 10_000

JobId = Annotated[str, Path(description="The job's id: the name of its task.", examples=["sync_inventory"])]


class JobStatus(StrEnum):
    """What a job does now, or what came of its last run."""

    IDLE = "idle"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class Timing(BaseModel):
    """When it runs. `interval_minutes` is null where it runs by a cron expression."""

    interval_minutes: float | None
    enabled: bool


class Config(BaseModel):
    """What the job is."""

    job_type: str
    schedule: Timing
    description: str


class Standing(BaseModel):
    """How the job stands."""

    status: JobStatus
    last_run: datetime | None
    next_run: datetime | None
    last_error: str | None
    last_duration: float | None = Field(description="Seconds that the last run took.")


class Line(BaseModel):
    """One line of a log. `job_id` is the run; the line that ends an attempt has its duration and its status."""

    log_id: str
    job_id: str
    job_type: str
    level: str
    message: str | None
    timestamp: datetime
    duration_seconds: float | None
    status: Literal["SUCCESS", "FAILED"] | None
    error_text: str | None


class Job(BaseModel):
    """A scheduled job, with the last lines of its log."""

    job_id: str
    config: Config
    status: Standing
    recent_logs: list[Line]


class NewJob(BaseModel):
    """Which task to run, and how often."""

    job_type: str
    interval_minutes: float = Field(gt=0, le=60 * 24 * 365)
    description: str = Field("", max_length=500, description="For people who read the request; the task has its own.")
    enabled: bool = True


class Triggered(BaseModel):
    """The run that was asked for."""

    status: Literal["triggered"] = "triggered"
    job_id: str
    run_id: str
    params: dict[str, Any]


class LogStats(BaseModel):
    """How many lines there are."""

    total: int
    by_level: dict[str, int]


class Cleaned(BaseModel):
    """From how many attempts the lines were taken."""

    deleted: int


LINE = {
    "log_id": "0192a6b1-1-end",
    "job_id": "0192a6b1",
    "job_type": "sync_inventory",
    "level": "INFO",
    "message": "attempt 1 succeeded",
    "timestamp": "2026-11-23T09:20:00Z",
    "duration_seconds": 10.5,
    "status": "SUCCESS",
    "error_text": None,
}
JOB = {
    "job_id": "sync_inventory",
    "config": {
        "job_type": "sync_inventory",
        "schedule": {"interval_minutes": 5, "enabled": True},
        "description": "Bring stock to the marketplace.",
    },
    "status": {
        "status": "success",
        "last_run": "2026-11-23T09:19:50Z",
        "next_run": "2026-11-23T09:25:00Z",
        "last_error": None,
        "last_duration": 10.5,
    },
    "recent_logs": [LINE],
}


@router.get("/jobs", summary="List scheduled jobs", responses={200: examples.shown([JOB])} | problems(*REFUSED, 503))
async def list_jobs() -> list[Job]:
    """Every schedule, with how it stands and the last lines of its log."""
    return [await _job(view) for view in await schedules.list_schedules()]


@router.get(
    "/jobs/{job_id}",
    summary="Show a scheduled job",
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 503),
)
async def show_scheduled_job(job_id: JobId) -> Job:
    """One schedule."""
    return await _job(await schedules.get_schedule(job_id))


@router.post(
    "/jobs/add",
    summary="Set a job's interval",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 400, 404, 422, 503),
)
async def add_job(new: NewJob) -> Job:
    """Run a task that the code declares with a schedule at this interval from now on."""
    await schedules.set_interval(new.job_type, _every(new.interval_minutes))
    await (schedules.resume if new.enabled else schedules.pause)(new.job_type)
    return await show_scheduled_job(new.job_type)


@router.post(
    "/jobs/{job_id}/run-now",
    summary="Trigger a job",
    dependencies=[ACTS],
    responses={
        200: examples.shown(
            {"status": "triggered", "job_id": "sync_inventory", "run_id": "0192a6b1", "params": {"mode": "quick"}}
        )
    }
    | problems(*REFUSED, 400, 404, 422, 503),
)
async def trigger_job(
    job_id: JobId,
    parent_order_status: int | None = None,
    days_back: Annotated[int | None, Query(ge=1, le=365)] = None,
    verbose: bool | None = None,
    log_to_db: bool | None = None,
    mode: Literal["quick", "full"] | None = None,
    params: Annotated[dict[str, Any] | None, Body(description="Further arguments of the task.")] = None,
) -> Triggered:
    """Run it once, now, with these parameters. Those that are left out are the task's own."""
    named = {
        "parent_order_status": parent_order_status,
        "days_back": days_back,
        "verbose": verbose,
        "log_to_db": log_to_db,
        "mode": mode,
    }
    given = {name: value for name, value in named.items() if value is not None} | (params or {})
    receipt = await schedules.run_now(job_id, given)
    return Triggered(job_id=job_id, run_id=receipt.id, params=given)


@router.post(
    "/jobs/{job_id}/schedule",
    summary="Change a job's interval",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 400, 404, 422, 503),
)
async def schedule_job(job_id: JobId, interval_minutes: Annotated[float, Query(gt=0, le=60 * 24 * 365)]) -> Job:
    """Run it at this interval from now on. It is kept and survives a deploy."""
    await schedules.set_interval(job_id, _every(interval_minutes))
    return await show_scheduled_job(job_id)


@router.post(
    "/jobs/{job_id}/toggle",
    summary="Enable or disable a job",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 422, 503),
)
async def toggle_job(job_id: JobId, enabled: bool) -> Job:
    """Let it fire, or no more."""
    await (schedules.resume if enabled else schedules.pause)(job_id)
    return await show_scheduled_job(job_id)


@router.get("/logs", summary="List log lines", responses={200: examples.shown([LINE])} | problems(*REFUSED, 422, 503))
async def list_logs(
    job_id: Annotated[str | None, Query(max_length=36, description="The start of a run's id.")] = None,
    job_type: Annotated[str | None, Query(max_length=200)] = None,
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Line]:
    """Lines of attempts that ended, newest first."""
    return [Line(**line) for line in await list_lines(LogFilter(job_id, job_type, level), limit, offset)]


@router.get(
    "/logs/stats",
    summary="Count log lines",
    responses={200: examples.shown({"total": 14, "by_level": {"INFO": 12, "ERROR": 2}})} | problems(*REFUSED, 503),
)
async def log_stats() -> LogStats:
    """How many lines there are, in all and at each level."""
    counts = await count_lines(LogFilter())
    return LogStats(total=sum(counts.values()), by_level=counts)


@router.get(
    "/logs/export",
    summary="Export log lines",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, "application/json": {}}}} | problems(*REFUSED, 422, 503),
)
async def export_logs(format: Literal["json", "csv"] = "json") -> Response:
    """The newest 10,000 lines as one file."""
    lines = [Line(**line).model_dump(mode="json") for line in await list_lines(LogFilter(), EXPORTED)]
    content = await asyncio.to_thread(_as_csv, lines) if format == "csv" else json.dumps(lines)
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/json"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="logs.{format}"'})


@router.post(
    "/logs/cleanup",
    summary="Forget old log lines",
    dependencies=[ACTS],
    responses={200: examples.shown({"deleted": 40})} | problems(*REFUSED, 422, 503),
)
async def cleanup_logs(days: Annotated[int, Query(ge=1, le=3650)] = 30) -> Cleaned:
    """Take the lines from attempts that ended longer ago than this. The attempts stay."""
    return Cleaned(deleted=await forget_logs(now() - timedelta(days=days)))


@live.websocket("/ws/logs")
async def watch_jobs(socket: WebSocket, job_type: str | None = None, level: str | None = None) -> None:
    """Every two seconds `{"type": "jobs_update", "data": [...]}`: all jobs, or those of a type, with lines at a level.

    A client that takes an update too slowly gets the next one later: nothing is kept for it.
    """
    try:
        await may_look(socket)
    except BacklineError as error:
        await socket.close(4401 if error.status == 401 else 4403, error.detail[:100])
        return
    await socket.accept()
    closed = asyncio.create_task(_closed(socket))
    try:
        while not closed.done():
            jobs = [job for job in await _jobs(socket.app) if job_type in (None, job.job_id)]
            await socket.send_json({"type": "jobs_update", "data": [_shown(job, level) for job in jobs]})
            await asyncio.wait({closed}, timeout=UPDATE_S)
    except (WebSocketDisconnect, RuntimeError):
        pass  # it went away in the middle of a message
    finally:
        closed.cancel()


def _shown(job: Job, level: str | None) -> dict[str, Any]:
    lines = [line for line in job.recent_logs if level in (None, line.level)]
    return job.model_copy(update={"recent_logs": lines}).model_dump(mode="json")


async def _closed(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return


async def _jobs(app: Any) -> list[Job]:
    """All jobs as they were at most two seconds ago: however many clients look, the database is asked once."""
    async with app.state.jobs_lock:
        at, jobs = app.state.jobs
        if time.monotonic() - at >= UPDATE_S:
            jobs = [await _job(view) for view in await schedules.list_schedules()]
            app.state.jobs = (time.monotonic(), jobs)
        return list(jobs)


async def _job(view: ScheduleView) -> Job:
    runs = await list_runs(RunFilter(task=view.task), limit=1)
    last = await get_run(runs[0].id) if runs else None
    took = last.finished_at - last.started_at if last and last.started_at and last.finished_at else None
    interval = parse_timing(view.override or view.declared).interval
    return Job(
        job_id=view.task,
        config=Config(
            job_type=view.task,
            schedule=Timing(
                interval_minutes=interval / timedelta(minutes=1) if interval else None, enabled=not view.paused
            ),
            description=_description(view),
        ),
        status=Standing(
            status=_STATUS.get(State(last.state), JobStatus.FAILED) if last else JobStatus.IDLE,
            last_run=view.last_at,
            next_run=None if view.paused else view.next_at,
            last_error=last.error if last else None,
            last_duration=took.total_seconds() if took else None,
        ),
        recent_logs=_lines(last) if last else [],
    )


def _lines(run: RunView) -> list[Line]:
    """The last lines of a run's attempts, newest first."""
    found = [
        Line(
            log_id=f"{run.id}-{attempt.number}-{place}",
            job_id=run.id,
            job_type=run.task,
            level=line["level"],
            message=line["message"],
            timestamp=line.get("at") or attempt.started_at,
            duration_seconds=None,
            status=None,
            error_text=None,
        )
        for attempt in run.attempts
        for place, line in enumerate(attempt.logs or [])
    ]
    return found[: -RECENT - 1 : -1]


_STATUS = {
    State.WAITING: JobStatus.IDLE,
    State.SCHEDULED: JobStatus.IDLE,
    State.QUEUED: JobStatus.IDLE,
    State.RUNNING: JobStatus.RUNNING,
    State.SUCCEEDED: JobStatus.SUCCESS,
}


def _description(view: ScheduleView) -> str:
    return (spec_of(view.task).function.__doc__ or "").partition("\n")[0] if view.known else ""


def _every(minutes: float) -> str:
    return f"every {minutes * 60:g}"


def _as_csv(lines: Sequence[dict[str, Any]]) -> str:
    written = io.StringIO()
    table = csv.DictWriter(written, fieldnames=list(Line.model_fields))
    table.writeheader()
    table.writerows(lines)
    return written.getvalue()
