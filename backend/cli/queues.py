"""`backline queues`: what waits where, and the brakes of queues and tasks."""

from typing import Annotated

import typer
from rich.text import Text

from backend.cli.output import out, print_json, print_table, span
from backend.cli.session import AsJson, command, ledger
from backend.errors import InvalidInput
from backend.runtime import queues
from backend.runtime.queues import QueueView

app = typer.Typer(help="List queues; pause and resume queues and tasks.", no_args_is_help=True)

Queue = Annotated[str | None, typer.Argument(help="Name of the queue.", show_default=False)]
Task = Annotated[str | None, typer.Option(help="Name of a task, instead of a queue.")]


@app.command("list")
@command
async def list_queues(as_json: AsJson = False) -> None:
    """Every queue with its backlog and its limits."""
    async with ledger():
        views = await queues.list_queues()
    if as_json:
        print_json(views)
        return
    rows = [
        (
            view.name,
            view.waiting,
            view.queued,
            view.scheduled,
            view.running,
            Text(str(view.dead), style="bold red" if view.dead else ""),
            view.concurrency or "",
            view.rate or "",
            span(view.oldest_waiting_s),
            Text(_brakes(view), style="yellow"),
        )
        for view in views
    ]
    columns = ("QUEUE", "WAITING", "QUEUED", "SCHEDULED", "RUNNING", "DEAD", "LIMIT", "RATE", "OLDEST", "")
    print_table(columns, rows, empty="No queues.")


@app.command("pause")
@command
async def pause(queue: Queue = None, task: Task = None) -> None:
    """Start no more runs of a queue, or of one task with --task."""
    name = _one_of(queue, task)
    async with ledger():
        await (queues.pause_task(name) if task else queues.pause_queue(name))
    out.print(f"{name} is paused")


@app.command("resume")
@command
async def resume(queue: Queue = None, task: Task = None) -> None:
    """Start runs of a queue, or of one task with --task, again."""
    name = _one_of(queue, task)
    async with ledger():
        await (queues.resume_task(name) if task else queues.resume_queue(name))
    out.print(f"{name} is resumed")


def _brakes(view: QueueView) -> str:
    return "paused" if view.paused else ", ".join(f"{task} paused" for task in view.paused_tasks)


def _one_of(queue: str | None, task: str | None) -> str:
    if (queue is None) == (task is None):
        raise InvalidInput("name a queue, or a task with --task", field="QUEUE")
    return queue or task or ""
