"""`backline runs watch`: follow one run to its end, from the ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext

import typer
from pydantic_core import to_jsonable_python

from backend.cli.demo_view import RunBars
from backend.cli.output import err, out, print_json_line, state_text
from backend.cli.session import AsJson, ExitCode, RunId, command, ledger
from backend.db.models.runs import TERMINAL, State
from backend.runtime import runs
from backend.runtime.views import RunView

LOOK_EVERY_S = 0.5


@command
async def watch_run(run: RunId, as_json: AsJson = False) -> None:
    """Follow a run until it ends. Exit code 1 unless it succeeded. With --json, one line for each change."""
    async with ledger():
        first = view = await runs.get_run(run)
        with nullcontext() if as_json else RunBars(err) as bars:
            async for view in _changes(first):
                if bars is None:
                    print_json_line(view)
                else:
                    bars.show(to_jsonable_python(view))
    if not as_json:
        out.print(view.id, state_text(view.state), view.error or "")
    if view.state != State.SUCCEEDED:
        raise typer.Exit(ExitCode.FAILED)


async def _changes(view: RunView) -> AsyncIterator[RunView]:
    # Another process executes it, so the ledger is asked: progress stands there in steps of ten percent.
    yield view
    while view.state not in TERMINAL:
        await asyncio.sleep(LOOK_EVERY_S)
        now = await runs.get_run(view.id)
        if (now.revision, now.progress) != (view.revision, view.progress):
            yield now
        view = now
