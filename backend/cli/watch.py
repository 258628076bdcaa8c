"""`backline runs watch`: follow one run to its end, from the ledger."""

import asyncio
from collections.abc import AsyncIterator

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
        if as_json:
            async for view in _changes(run):
                print_json_line(view)
        else:
            with RunBars(err) as bars:
                async for view in _changes(run):
                    bars.show(to_jsonable_python(view))
            out.print(view.id, state_text(view.state), view.error or "")
    if view.state != State.SUCCEEDED:
        raise typer.Exit(ExitCode.FAILED)


async def _changes(run_id: str) -> AsyncIterator[RunView]:
    # Another process executes it, so the ledger is asked: progress stands there in steps of ten percent.
    seen: RunView | None = None
    while seen is None or seen.state not in TERMINAL:
        if seen is not None:
            await asyncio.sleep(LOOK_EVERY_S)
        now = await runs.get_run(run_id)
        if seen is None or (now.revision, now.progress) != (seen.revision, seen.progress):
            yield now
        seen = now
