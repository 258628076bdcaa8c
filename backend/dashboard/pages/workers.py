"""Workers: every process that shares the ledger, what it runs, and whether it still lives."""

from collections import defaultdict

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, bar, card, facts, join, moment, note, stack, table
from backend.runtime.board import ProcessView, list_processes, running_now
from backend.runtime.views import RunView

SHOWN_RUNS = 200


@page("/workers", "workers")
async def show(request: Request) -> View:
    """The page of all processes."""
    return View("Workers", "workers", _load)


async def _load() -> Fragments:
    at: dict[str, list[RunView]] = defaultdict(list)
    for run in await running_now(SHOWN_RUNS):
        at[run.worker or ""].append(run)
    found = await list_processes()
    if not found:
        return {
            "workers": card(
                "Processes", note("No process was here within the last hour. Start one: `python -m backend.worker`.")
            )
        }
    return {"workers": join(_process(each, at[each.name]) for each in found)}


def _process(each: ProcessView, runs: list[RunView]) -> Markup:
    alive = (
        Markup('<span class="state dead">silent</span>')
        if each.silent
        else Markup('<span class="state succeeded">alive</span>')
    )
    kind = "takes no runs" if not each.capacity else f"{each.running} of {each.capacity} slots"
    trouble = Markup('<pre class="error">{}</pre>').format(each.last_error) if each.last_error else NOTHING
    load = bar({"percent": 100 * each.running / each.capacity, "message": kind}) if each.capacity else NOTHING
    shown = facts(
        {
            "Kind": f"{each.kind}, {each.engine}, {kind}",
            "Sign of life": moment(each.seen_at),
            "Up since": moment(each.started_at),
            "Memory": f"{each.memory_mb:.0f} MB",
            "Loop lag": f"{each.loop_lag_ms:.1f} ms",
            "Last canary": moment(each.canary_at),
            "Restarts of its loop": str(each.restarts),
            "Host, process": f"{each.host}, {each.pid}",
            "Version": each.version,
            "Tasks it knows": str(len(each.tasks)),
        }
    )
    rows = [
        (
            Markup('<a href="/desk/runs/{}">{}</a> <span class="key">{}</span>').format(
                run.id, run.task, run.key or ""
            ),
            bar(run.progress) or Markup("<small>no progress told</small>"),
            moment(run.started_at),
        )
        for run in runs
    ]
    now = table(("Running now", "Progress", "Started"), rows, "") if rows else note("It runs nothing now.")
    return card(Markup('<span class="mono">{}</span>').format(each.name), stack(trouble, load, shown, now), alive)
