"""`backline tasks` and `backline run`: what can be done, and doing it here and now, without a queue."""

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import asdict
from traceback import format_exception
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from backend.cli.arguments import parse_arguments
from backend.cli.output import err, print_json, print_table, span
from backend.cli.session import AsJson, command, ledger
from backend.errors import BacklineError, TimedOut
from backend.runtime.context import Progress as RunProgress
from backend.runtime.direct import run_directly
from backend.runtime.registry import TaskSpec, registry, spec_of
from backend.storage import open_storage


class WorkFailed(BacklineError):
    """The work of a task raised. The command was right, so this is no usage error, whatever it was."""

    title = "Work failed"

    def __init__(self, error: Exception) -> None:
        said = (str(error).splitlines() or [""])[0]
        field = error.field if isinstance(error, BacklineError) else None
        super().__init__(said if field else f"{type(error).__name__}: {said}", field=field)


COLUMNS = ("TASK", "QUEUE", "PRIORITY", "LIMIT", "TRIES", "TIMEOUT", "SCHEDULE", "")


@command
async def list_tasks(as_json: AsJson = False) -> None:
    """Every declared task and its policy."""
    async with ledger():
        specs = sorted(registry.values(), key=lambda spec: (spec.queue, spec.name))
    if as_json:
        print_json([_described(spec) for spec in specs])
        return
    rows = [
        (
            spec.name,
            spec.queue,
            spec.priority,
            spec.limit or "",
            spec.retry.attempts,
            span(spec.timeout.total_seconds()) if spec.timeout else "",
            spec.schedule.timing.text if spec.schedule else "",
            _summary(spec),
        )
        for spec in specs
    ]
    print_table(COLUMNS, rows, empty="No tasks are declared.")


def _described(spec: TaskSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": _summary(spec),
        "signature": str(spec.arguments.signature),
        "module": spec.function.__module__,
        "queue": spec.queue,
        "priority": spec.priority,
        "limit": spec.limit,
        "rate": asdict(spec.rate) if spec.rate else None,
        "retry": asdict(spec.retry),
        "timeout_s": spec.timeout.total_seconds() if spec.timeout else None,
        "key": spec.key,
        "unique": spec.unique,
        "schedule": spec.schedule.timing.text if spec.schedule else None,
    }


def _summary(spec: TaskSpec) -> str:
    return (inspect.getdoc(spec.function) or "").partition("\n")[0]


@command
async def run_task(
    task: Annotated[str, typer.Argument(help="Name of the task; `backline tasks` lists them.", show_default=False)],
    args: Annotated[
        list[str] | None,
        typer.Argument(help="Values in order, name=value, or one JSON object.", show_default=False),
    ] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="When the work fails, show where.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one task in this process: no queue, no retry, no run in the ledger, nothing that would follow it."""
    async with ledger() as settings:
        spec = spec_of(task)
        values = parse_arguments(spec.arguments, args or [])
        async with open_storage(settings):
            try:
                result = await _shown(spec, values)
            except Exception as error:  # the boundary of a run: whatever the work raises is its outcome
                if traceback:
                    err.print("".join(format_exception(error)), markup=False, highlight=False)
                raise WorkFailed(error) from None
    if as_json:
        print_json({"task": spec.name, "result": result})
    elif result is not None:
        print_json(result)


async def _shown(spec: TaskSpec, values: dict[str, Any]) -> object:
    """Run it with a progress bar on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[message]}", style="dim"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bars:
        bar = bars.add_task(spec.name, total=None, message="")

        def report(progress: RunProgress) -> None:
            bars.update(bar, completed=progress.current, total=progress.total, message=progress.message or "")

        result = await _within(spec, run_directly(spec, values, report))
        bars.update(bar, completed=1, total=1, message="done")
    return result


async def _within(spec: TaskSpec, work: Awaitable[object]) -> object:
    limit = spec.timeout.total_seconds() if spec.timeout else None
    clock = asyncio.timeout(limit)
    try:
        async with clock:
            return await work
    except TimeoutError as error:
        if clock.expired():
            raise TimedOut(f"{spec.name} took longer than {span(limit)}") from error
        raise
