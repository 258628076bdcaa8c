"""Queues and tasks: what waits where, and the brakes."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from backend.api import examples
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.problems import problems
from backend.runtime import queues
from backend.runtime.queues import QueueView

router = APIRouter(tags=["queues"], dependencies=[LOOKS])

Queue = Annotated[str, Path(description="Name of the queue.", examples=["media"])]
Task = Annotated[str, Path(description="Name of the task.", examples=["transcode_version"])]
BRAKE = problems(*REFUSED, 404, 503)


@router.get(
    "/queues", summary="List queues", responses={200: examples.shown([examples.QUEUE])} | problems(*REFUSED, 503)
)
async def list_queues() -> list[QueueView]:
    """Every queue with its backlog, its limits, and how long its oldest run has waited."""
    return await queues.list_queues()


@router.post(
    "/queues/{queue}/pause",
    dependencies=[ACTS],
    summary="Pause a queue",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=BRAKE,
)
async def pause_queue(queue: Queue) -> None:
    """Start no more runs of this queue. What runs goes on; what waits, waits. Survives a deploy."""
    await queues.pause_queue(queue)


@router.post(
    "/queues/{queue}/resume",
    dependencies=[ACTS],
    summary="Resume a queue",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=BRAKE,
)
async def resume_queue(queue: Queue) -> None:
    """Start runs of this queue again."""
    await queues.resume_queue(queue)


@router.post(
    "/tasks/{task}/pause",
    dependencies=[ACTS],
    summary="Pause a task",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=BRAKE,
)
async def pause_task(task: Task) -> None:
    """Start no more runs of this task, in whatever queue. Survives a deploy."""
    await queues.pause_task(task)


@router.post(
    "/tasks/{task}/resume",
    dependencies=[ACTS],
    summary="Resume a task",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=BRAKE,
)
async def resume_task(task: Task) -> None:
    """Start runs of this task again."""
    await queues.resume_task(task)
