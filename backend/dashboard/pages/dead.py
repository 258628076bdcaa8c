"""Dead letters: what runs died of, grouped by error; requeue or purge a whole group."""

from urllib.parse import quote

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import button, card, join, moment, table
from backend.dashboard.pages.runs import runs_table
from backend.runtime.dead_letters import DeadGroup, group_dead, list_dead

HEADS = ("Runs", "Error", "Task", "Newest", "")
SHOWN = 100
NEWEST = 25


@page("/dead", "dead")
async def show(request: Request) -> View:
    """The page of all dead runs."""
    return View("Dead letters", "dead", _load, 2.0)


async def _load() -> Fragments:
    groups = await group_dead()
    if not groups:
        return {
            "groups": card(
                "By error", Markup('<p class="empty">Nothing is dead. Runs whose attempts are spent appear here.</p>')
            )
        }
    rows = [_row(each) for each in groups[:SHOWN]]
    more = f"{len(groups) - SHOWN} more kinds of error" if len(groups) > SHOWN else ""
    every = join(
        (
            button("Requeue all", "runs.ask.requeue", "state:dead"),
            button("Purge all", "runs.ask.purge", "state:dead", "danger"),
        )
    )
    newest = await list_dead(limit=NEWEST)
    chosen = join(
        (button("Requeue", "runs.ask.requeue", ids="1"), button("Purge", "runs.ask.purge", kind="danger", ids="1"))
    )
    bulk = Markup('<div class="bulk"><span class="chosen"></span><span class="with">{}</span></div>').format(chosen)
    return {
        "groups": card("By error", Markup("{}<small>{}</small>").format(table(HEADS, rows, "", "end"), more), every),
        "newest": card("The newest", runs_table(newest), bulk),
    }


def _row(each: DeadGroup) -> tuple[Markup | str | int, ...]:
    query = f"state:dead task:{each.task}" + (f" group:{each.error_group}" if each.error_group else "")
    return (
        Markup("<b>{:,}</b>").format(each.count),
        Markup('<a href="/desk/runs?q={}">{}</a><span class="clip" title="{}">{}</span>').format(
            quote(query), each.error_type or "no error", each.example or "", each.example or ""
        ),
        each.task,
        moment(each.newest_at),
        join((button("Requeue", "runs.ask.requeue", query), button("Purge", "runs.ask.purge", query, "danger")), " "),
    )
