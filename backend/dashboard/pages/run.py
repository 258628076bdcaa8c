"""One run: how it went, every attempt with its log, what it was given and what it gave; cancel, requeue, edit."""

import json
from typing import Any
from urllib.parse import quote

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.actions import Call, action
from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.json_input import json_object
from backend.dashboard.markup import (
    NOTHING,
    bar,
    between,
    button,
    card,
    duration,
    facts,
    join,
    moment,
    note,
    stack,
    state,
    tree,
)
from backend.dashboard.redaction import redacted, restored
from backend.dashboard.timeline import timeline
from backend.db.models.runs import TERMINAL
from backend.runtime.board import with_progress
from backend.runtime.chain import Chain, chain_of
from backend.runtime.runs import cancel_run, get_run, requeue_run
from backend.runtime.views import AttemptView, RunView


@page("/runs/{run_id}", "runs")
async def run(request: Request) -> View:
    """The page of a run."""
    run_id = request.path_params["run_id"]
    found = await get_run(run_id)

    async def load() -> Fragments:
        current = with_progress(await get_run(run_id))
        return _parts(current, await chain_of(current))

    return View(found.task, ("run", run_id), load)


def _parts(run: RunView, chain: Chain) -> Fragments:
    return {
        "head": card(_state(run), stack(*_now(run), timeline(run), _facts(run, chain)), _buttons(run)),
        "attempts": card("Attempts", _attempts(run)),
        "data": Markup('<div class="pair">{}{}</div>').format(
            card("Arguments", _json(run.args)),
            card(
                "Result",
                _json(run.result)
                if run.result is not None
                else note("None." if run.state in TERMINAL else "It is there when the run has succeeded."),
            ),
        ),
        "chain": card("What belongs together", _chain(run, chain)),
    }


def _state(run: RunView) -> Markup:
    asked = Markup(" <small>asked to stop</small>") if run.cancel_requested and run.state == "running" else NOTHING
    parked = Markup(" <small>waits until {} is released</small>").format(run.parked_on) if run.parked_on else NOTHING
    return Markup("{}{}{}").format(state(run.state), asked, parked)


def _now(run: RunView) -> tuple[Markup, Markup]:
    error = Markup('<pre class="error">{}: {}</pre>').format(run.error_type, run.error) if run.error else NOTHING
    progress = Markup('<div class="progress">{}</div>').format(bar(run.progress)) if run.progress else NOTHING
    return error, progress


def _facts(run: RunView, chain: Chain) -> Markup:
    return facts(
        {
            "Key": run.key or "–",
            "Queue": Markup('<a href="/desk/runs?q=queue:{0}">{0}</a>, priority {1}').format(run.queue, run.priority),
            "Attempt": f"{run.attempt} of {run.max_attempts}" if run.max_attempts else str(run.attempt),
            "Worker": run.worker or "–",
            "Asked for by": _asked(next((each.requested_by for each in [*chain.causes, run] if each.requested_by), None)),
            "Trace": _trace(run),
            "Id": Markup('<code>{}</code>').format(run.id),
        }
    )  # fmt: skip


def _asked(by: str | None) -> Markup | str:
    """Who asked: of a run that followed, who asked for the first of its causes."""
    *said, request = (by or "").split(" ")
    if len(said) != 2 or said[0] == "desk":
        return by or "–"
    return Markup('{} <a class="more" href="/desk/runs?q=request:{}" title="{}">all it asked for</a>').format(
        " ".join(said), quote(request), request
    )


def _trace(run: RunView) -> Markup | str:
    if not run.trace or run.trace.count("-") != 3:
        return "–"
    return Markup(
        '<code>{0}</code> <a class="more" href="/desk/runs?q=trace:{0}">its runs</a> '
        '<button class="more" data-copy="{0}">copy</button>'
    ).format(run.trace.split("-")[1])


def _buttons(run: RunView) -> Markup:
    if run.state not in TERMINAL:
        return button("Cancel run", "run.cancel", run.id, "danger", confirm=f"Cancel this run of {run.task}?")
    args = json.dumps(redacted(run.args), indent=2, ensure_ascii=False)
    hint = "Hidden values (•••) stay as they are. The attempts so far keep what they ran with."
    return Markup("{}{}").format(
        button(
            "Edit and requeue", "run.requeue", run.id, edit=args, title=f"Arguments of {run.task}", hint=hint,
            ok="Requeue", lines="1",
        ),
        button("Requeue", "run.requeue", run.id, "main"),
    )  # fmt: skip


def _attempts(run: RunView) -> Markup:
    if not run.attempts:
        return note("It has not been started yet.")
    newest = run.attempts[-1].number
    return join(_attempt(each, run.id, each.number == newest) for each in reversed(run.attempts))


def _attempt(each: AttemptView, run_id: str, opened: bool) -> Markup:
    took = duration(between(each.started_at, each.ended_at)) if each.ended_at else "still at it"
    parts = [Markup("<small>on {}</small>").format(each.worker)]
    if each.error:
        parts.append(Markup('<pre class="error">{}: {}</pre>').format(each.error_type, each.error))
    if each.args is not None:
        parts.append(Markup("<h3>It ran with other arguments</h3>{}").format(_json(each.args)))
    parts.append(log(each.logs or []) if each.ended_at else note("Its log is kept when it ends."))
    if each.traceback:
        parts.append(
            Markup('<details data-fold="{}-{}-trace"><summary>Traceback</summary><pre>{}</pre></details>').format(
                run_id, each.number, each.traceback
            )
        )
    return Markup(
        '<details class="attempt" data-fold="{}-{}"{}><summary><b>#{}</b>{}<span>{}</span><small>{}</small></summary>{}</details>'
    ).format(
        run_id, each.number, Markup(" open") if opened else NOTHING, each.number, state(each.outcome or "running"),
        moment(each.started_at), took, join(parts),
    )  # fmt: skip


def log(lines: list[Any]) -> Markup:
    """Log lines with their time and level."""
    if not lines:
        return note("It logged nothing.")
    return Markup('<div class="log">{}</div>').format(
        join(
            Markup('<div class="{0}"><span>{1}</span><span>{0}</span><p title="{2}">{3}</p></div>').format(
                line.get("level", "INFO"),
                str(line.get("at", ""))[11:23],
                line.get("logger", ""),
                line.get("message", ""),
            )
            for line in lines
        )
    )


def _json(value: object) -> Markup:
    return Markup('<div class="json">{}</div>').format(tree(redacted(value)))


def _chain(run: RunView, chain: Chain) -> Markup:
    here = Markup("<b>this run</b>")
    line = [*(_link(each) for each in chain.causes), here]
    rows = [Markup('<div class="chain">{}</div>').format(join(line, '<span class="sep">→</span>'))]
    for title, runs in (("Then followed", chain.followed), ("Others of the same trace", chain.same_trace)):
        if runs:
            rows.append(Markup('<h3>{}</h3><div class="chain">{}</div>').format(title, join(map(_link, runs), " ")))
    return Markup('<div class="part">{}</div>').format(join(Markup("<div>{}</div>").format(row) for row in rows))


def _link(run: RunView) -> Markup:
    return Markup('<span><a href="/desk/runs/{}">{}</a> {}</span>').format(run.id, run.task, state(run.state))


@action("run.cancel")
async def cancel(call: Call) -> str:
    """Cancel the run."""
    found = await cancel_run(call.arg)
    return "Cancelled." if found.state == "cancelled" else "It was asked to stop."


@action("run.requeue")
async def requeue(call: Call) -> str:
    """Requeue the run, with edited arguments when some were typed."""
    args = None
    if call.value is not None:
        args = restored(json_object(call.value), (await get_run(call.arg)).args)
    await requeue_run(call.arg, args)
    return "Requeued."
