"""Schedules: what runs by itself and when, and what an operator may change about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, status
from pydantic import BaseModel, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.problems import problems
from backend.runtime import schedules
from backend.runtime.schedules import ScheduleView

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=SmallBody, dependencies=[LOOKS])

Task = Annotated[str, Path(description="Name of the scheduled task.", examples=["prune_ledger"])]


class RunNow(BaseModel):
    """What to run it with, this once."""

    args: dict[str, Any] | None = Field(None, description="Arguments for this run only. Left out: the defaults.")


class Interval(BaseModel):
    """When it is due from now on."""

    spec: str | None = Field(
        description="`every 300` (seconds), `every 5 m`, a cron expression of five fields in UTC, "
        "or null to go back to what the code declares.",
        examples=["every 300", "0 1 * * *"],
    )


class Accepted(BaseModel):
    """The run that was asked for."""

    run_id: str
    state: str
    created: bool = Field(description="False when an active run with the same key was returned instead.")
    links: dict[str, str]


@router.get(
    "", summary="List schedules", responses={200: examples.shown([examples.SCHEDULE])} | problems(*REFUSED, 503)
)
async def list_schedules() -> list[ScheduleView]:
    """Every declared schedule: the code's timing, the operator's, the next time and the last run."""
    return await schedules.list_schedules()


@router.post(
    "/{task}/pause",
    dependencies=[ACTS],
    summary="Pause a schedule",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(*REFUSED, 404, 503),
)
async def pause_schedule(task: Task) -> None:
    """Fire no more until it is resumed. Survives a deploy."""
    await schedules.pause(task)


@router.post(
    "/{task}/resume",
    dependencies=[ACTS],
    summary="Resume a schedule",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(*REFUSED, 404, 503),
)
async def resume_schedule(task: Task) -> None:
    """Fire again at the next due time."""
    await schedules.resume(task)


@router.post(
    "/{task}/run",
    dependencies=[ACTS],
    summary="Run a schedule now",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: examples.shown(examples.ACCEPTED)} | problems(*REFUSED, 400, 404, 422, 503),
)
async def run_schedule(task: Task, how: Annotated[RunNow | None, Body()] = None) -> Accepted:
    """Run it once, now, whatever its timing says, with its own arguments if you like."""
    receipt = await schedules.run_now(task, how.args if how else None)
    links = {"run": f"/runs/{receipt.id}", "stream": f"/runs/{receipt.id}/stream"}
    return Accepted(run_id=receipt.id, state=receipt.state, created=receipt.created, links=links)


@router.put(
    "/{task}/interval",
    dependencies=[ACTS],
    summary="Change a schedule",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(*REFUSED, 400, 404, 422, 503),
)
async def set_interval(task: Task, wanted: Interval) -> None:
    """Give a schedule another timing. It is kept in the database and survives a deploy."""
    await schedules.set_interval(task, wanted.spec)
