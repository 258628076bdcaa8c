"""Schedules as the merch desk's own clients know them: `/api/jobs`. A job is a schedule, named by its task."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.job_views import JOB, Job, job_of
from backend.api.problems import problems
from backend.runtime import schedules

router = APIRouter(prefix="/api/jobs", tags=["scheduled jobs"], route_class=SmallBody, dependencies=[LOOKS])


JobType = Annotated[str, Path(description="The job: the name of its task.", examples=["sync_inventory"])]


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


@router.get("", summary="List scheduled jobs", responses={200: examples.shown([JOB])} | problems(*REFUSED, 503))
async def list_jobs() -> list[Job]:
    """Every schedule, with how it stands and the last lines of its log."""
    return [await job_of(view) for view in await schedules.list_schedules()]


@router.get(
    "/{job_type}",
    summary="Show a scheduled job",
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 503),
)
async def show_scheduled_job(job_type: JobType) -> Job:
    """One schedule."""
    return await job_of(await schedules.get_schedule(job_type))


@router.post(
    "/add",
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
    "/{job_type}/run-now",
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
    job_type: JobType,
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
    receipt = await schedules.run_now(job_type, given)
    return Triggered(job_id=job_type, run_id=receipt.id, params=given)


@router.post(
    "/{job_type}/schedule",
    summary="Change a job's interval",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 400, 404, 422, 503),
)
async def schedule_job(job_type: JobType, interval_minutes: Annotated[float, Query(gt=0, le=60 * 24 * 365)]) -> Job:
    """Run it at this interval from now on. It is kept and survives a deploy."""
    await schedules.set_interval(job_type, _every(interval_minutes))
    return await show_scheduled_job(job_type)


@router.post(
    "/{job_type}/toggle",
    summary="Enable or disable a job",
    dependencies=[ACTS],
    responses={200: examples.shown(JOB)} | problems(*REFUSED, 404, 422, 503),
)
async def toggle_job(job_type: JobType, enabled: bool) -> Job:
    """Let it fire, or no more."""
    await (schedules.resume if enabled else schedules.pause)(job_type)
    return await show_scheduled_job(job_type)


def _every(minutes: float) -> str:
    return f"every {minutes * 60:g}"
