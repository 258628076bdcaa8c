"""`backline schedules`: what runs by itself, and what an operator may change about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.text import Text

from backend.cli.output import ago, out, print_json, print_table, state_text
from backend.cli.runs import json_object
from backend.cli.session import AsJson, command, ledger
from backend.db.session import database
from backend.errors import InvalidInput
from backend.runtime import schedules
from backend.runtime.ticker import note_declared

app = typer.Typer(help="List schedules; pause, resume, run and change them.", no_args_is_help=True)

Task = Annotated[str, typer.Argument(help="Name of the scheduled task.", show_default=False)]


@asynccontextmanager
async def _schedules() -> AsyncIterator[None]:
    # The code's schedules are written down when a process starts. Here none has to have started.
    async with ledger():
        await note_declared(database())
        yield


@app.command("list")
@command
async def list_schedules(as_json: AsJson = False) -> None:
    """Every schedule: its timing, the next time and the last run."""
    async with _schedules():
        views = await schedules.list_schedules()
    if as_json:
        print_json(views)
        return
    rows = [
        (
            view.task,
            view.override or view.declared,
            f"instead of {view.declared}" if view.override else "",
            Text("paused", style="yellow") if view.paused else ago(view.next_at),
            ago(view.last_at),
            state_text(view.last_state or ""),
        )
        for view in views
    ]
    print_table(("TASK", "TIMING", "", "NEXT", "LAST", "STATE"), rows, empty="No schedules are declared.")


@app.command("pause")
@command
async def pause(task: Task) -> None:
    """Fire no more until it is resumed."""
    async with _schedules():
        await schedules.pause(task)
    out.print(f"{task} is paused")


@app.command("resume")
@command
async def resume(task: Task) -> None:
    """Fire again at the next due time."""
    async with _schedules():
        await schedules.resume(task)
    out.print(f"{task} is resumed")


@app.command("run")
@command
async def run_now(
    task: Task,
    args: Annotated[str | None, typer.Option(help="Arguments for this run only, as a JSON object.")] = None,
    as_json: AsJson = False,
) -> None:
    """Enqueue one run of it now, whatever its timing says."""
    edited = json_object(args, "--args") if args else None
    async with _schedules():
        receipt = await schedules.run_now(task, edited)
    print_json(receipt) if as_json else out.print(f"{receipt.id} {receipt.state}")


@app.command("interval")
@command
async def set_interval(
    task: Task,
    spec: Annotated[
        str | None, typer.Argument(help='"every 300", or a cron expression in quotes.', show_default=False)
    ] = None,
    declared: Annotated[bool, typer.Option("--declared", help="Go back to what the code declares.")] = False,
) -> None:
    """Give a schedule another timing, kept in the database."""
    if (spec is None) != declared:
        raise InvalidInput("give a timing, or --declared to go back to the code's", field="SPEC")
    async with _schedules():
        await schedules.set_interval(task, spec)
    out.print(f"{task}: {spec or 'as declared'}")
