"""Scheduled jobs as the merch desk's own clients know them: what a schedule of the runner looks like to them."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from backend.db.models.runs import State
from backend.runtime.cron import parse_timing
from backend.runtime.registry import spec_of
from backend.runtime.runs import RunFilter, get_run, list_runs
from backend.runtime.schedules import ScheduleView
from backend.runtime.views import RunView

RECENT = 20


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
_STATUS = {
    State.WAITING: JobStatus.IDLE,
    State.SCHEDULED: JobStatus.IDLE,
    State.QUEUED: JobStatus.IDLE,
    State.RUNNING: JobStatus.RUNNING,
    State.SUCCEEDED: JobStatus.SUCCESS,
}


async def job_of(view: ScheduleView) -> Job:
    """A schedule with its last run, and the last lines of that run's log."""
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


def _description(view: ScheduleView) -> str:
    return (spec_of(view.task).function.__doc__ or "").partition("\n")[0] if view.known else ""
