"""Runs: search, page through them, choose some or all that match, and act on them."""

import json
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.actions import Call, action
from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, bar, between, button, card, duration, join, moment, state, table
from backend.dashboard.redaction import redacted
from backend.dashboard.search import NEWEST, to_filter
from backend.db.models.runs import ACTIVE, TERMINAL
from backend.errors import InvalidInput
from backend.runtime.board import with_progress
from backend.runtime.bulk import Bulk, cancel_matching, count_matching, purge_matching, requeue_matching
from backend.runtime.runs import RunFilter, list_runs
from backend.runtime.views import RunView

SIZE = 50
EVERY_S = 2.0
HEADS = ("Run", "State", "Queue", "Attempt", "Created", "Took")
MANY = {
    "cancel": (cancel_matching, ACTIVE, "Cancel", "cancelled"),
    "requeue": (requeue_matching, TERMINAL, "Requeue", "requeued"),
    "purge": (purge_matching, TERMINAL, "Purge", "purged"),
}


@page("/runs", "runs")
async def runs(request: Request) -> View:
    """A page of runs. The search and the place in it are the URL."""
    query, before = request.query_params.get("q", "")[:1000], request.query_params.get("before")

    async def load() -> Fragments:
        try:
            where = await to_filter(query)
        except InvalidInput as error:
            return {"list": card("Nothing was searched", Markup('<p class="wrong">{}</p>').format(error.detail))}
        found = [with_progress(run) for run in await list_runs(where, SIZE + 1, before)]
        bound = f"This is looked for in the newest {NEWEST:,} runs." if where.after else ""
        body = Markup("{}{}").format(runs_table(found[:SIZE]), _pages(query, before, found))
        return {"list": card(_title(query), body, _bulk(query)), "bound": Markup("<small>{}</small>").format(bound)}

    return View("Runs", ("runs", query, before), load, EVERY_S, query=query)


def _title(query: str) -> str:
    return "Runs that match" if query else "All runs"


def runs_table(runs: list[RunView]) -> Markup:
    """Runs with a box to choose each."""
    rows = [
        (_box(run), _name(run), _state(run), run.queue, _attempt(run), moment(run.created_at), _took(run))
        for run in runs
    ]
    whole = Markup('<input type="checkbox" data-all aria-label="Select all on this page">')
    drawn = table(
        ("", *HEADS), rows, "No run matches. Take something out of the search, or wait: new ones appear here.", "pick"
    )
    return Markup(str(drawn).replace("<th></th>", f"<th>{whole}</th>", 1))


def _box(run: RunView) -> Markup:
    return Markup('<input type="checkbox" data-id="{}" aria-label="Select {}">').format(run.id, run.task)


def _name(run: RunView) -> Markup:
    below = Markup('<span class="clip wrong" title="{0}">{0}</span>').format(run.error) if run.error else _given(run)
    return Markup('<a href="/desk/runs/{}">{}</a> <span class="key">{}</span>{}').format(
        run.id, run.task, run.key or "", below
    )


def _given(run: RunView) -> Markup:
    said = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in redacted(run.args).items())
    return Markup('<span class="clip mono" title="{0}">{0}</span>').format(said[:300]) if said else NOTHING


def _state(run: RunView) -> Markup:
    more = bar(run.progress) if run.state == "running" else NOTHING
    parked = Markup("<small>parked on {}</small>").format(run.parked_on) if run.parked_on else NOTHING
    return Markup("{}{}{}").format(state(run.state), more, parked)


def _attempt(run: RunView) -> str:
    return f"{run.attempt} of {run.max_attempts}" if run.max_attempts else str(run.attempt)


def _took(run: RunView) -> Markup | str:
    if run.state == "running":
        return moment(run.started_at)
    return duration(between(run.started_at, run.finished_at))


def _pages(query: str, before: str | None, found: list[RunView]) -> Markup:
    newest = (
        Markup('<a class="act" href="/desk/runs?{}">Newest</a>').format(urlencode({"q": query})) if before else NOTHING
    )
    older = NOTHING
    if len(found) > SIZE:
        after = urlencode({"q": query, "before": found[SIZE - 1].id})
        older = Markup('<a class="act" href="/desk/runs?{}" rel="next">Older</a>').format(after)
    return Markup('<div class="pages">{}{}</div>').format(newest, older)


def _bulk(query: str) -> Markup:
    chosen = join(
        button(label, f"runs.ask.{name}", kind="danger" * (name == "purge"), ids="1")
        for name, (_, _, label, _) in MANY.items()
    )
    every = join(
        button(f"{label} all", f"runs.ask.{name}", query, "danger" * (name == "purge"))
        for name, (_, _, label, _) in MANY.items()
    )
    return Markup(
        '<div class="bulk"><span class="chosen"></span><span class="with">{}</span><span class="without">{}</span></div>'
    ).format(chosen, every)


async def _chosen(call: Call) -> RunFilter:
    return RunFilter(ids=call.ids) if call.ids else await to_filter(call.arg)


def _declare(name: str) -> None:
    change, states, label, done = MANY[name]

    @action(f"runs.ask.{name}")
    async def ask(call: Call) -> str | None:
        """Say how many it would be, first."""
        count = await count_matching(await _chosen(call), states)
        if not count:
            kind = "ended" if states is TERMINAL else "active"
            return f"None of these runs is {kind}, so there is nothing to {name}."
        which = "selected" if call.ids else "matching"
        last = " This is for ever." if name == "purge" else ""
        runs = f"the {which} run" if count == 1 else f"{count:,} {which} runs"
        call.ask(f"{label} {runs}?{last}", f"runs.{name}", f"{label} {count:,}")
        return None

    @action(f"runs.{name}")
    async def act(call: Call) -> str:
        """Do it to all of them."""
        came: Bulk = await change(await _chosen(call))
        call.client.run_javascript("desk.clear()")
        left = f"; {came.left:,} could not be" if came.left else ""
        return f"{came.done:,} {done}{left}."


for _name_of in MANY:
    _declare(_name_of)
