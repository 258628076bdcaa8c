"""A run's way as steps: asked for, waited, each attempt, and its end, with how long each took."""

from datetime import datetime

from markupsafe import Markup

from backend.dashboard.markup import between, duration, join, moment
from backend.runtime.views import AttemptView, RunView

SHOWN_ATTEMPTS = 6
_KINDS = {"succeeded": "good", "failed": "bad", "timed_out": "bad", "lost": "bad", "dead": "bad", "running": "busy"}


def timeline(run: RunView) -> Markup:
    """The steps from left to right. Of many attempts the last ones are shown."""
    steps = [_step("asked for", run.created_at, "", "")]
    attempts = run.attempts[-SHOWN_ATTEMPTS:]
    if hidden := len(run.attempts) - len(attempts):
        steps.append(_step(f"{hidden} more attempts", run.attempts[0].started_at, "", ""))
    before = run.attempts[hidden - 1].ended_at if hidden else run.created_at
    for each in attempts:
        steps.append(_attempt(each, before))
        before = each.ended_at
    if run.finished_at:
        whole = f"after {duration(between(run.created_at, run.finished_at))} in all"
        steps.append(_step(run.state, run.finished_at, whole, _KINDS.get(run.state, "")))
    elif run.state != "running":
        steps.append(
            _step(run.state, run.due_at, "not before its time" if run.due_at else "until a slot is free", "busy")
        )
    return Markup('<ol class="timeline">{}</ol>').format(join(steps))


def _attempt(each: AttemptView, before: datetime | None) -> Markup:
    waited = between(before, each.started_at)
    took = f"ran {duration(between(each.started_at, each.ended_at))}" if each.ended_at else "runs"
    said = f"waited {duration(max(waited, 0))}, {took}" if waited is not None else took
    outcome = each.outcome or "running"
    return _step(f"#{each.number} {outcome.replace('_', ' ')}", each.started_at, said, _KINDS.get(outcome, ""))


def _step(name: str, at: datetime | None, said: str, kind: str) -> Markup:
    return Markup('<li class="{}"><b>{}</b>{}<small>{}</small></li>').format(kind, name, moment(at), said)
