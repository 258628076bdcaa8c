"""Audit: who did what, to what, when, and by which way."""

from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, card, moment, table
from backend.runtime.audit import AuditView, list_audit

SIZE = 50
HEADS = ("When", "Who", "Did", "To", "Details", "By")


@page("/audit", "audit")
async def show(request: Request) -> View:
    """The page of actions. The filter and the place in it are the URL."""
    text, before = request.query_params.get("text", "")[:200], request.query_params.get("before")

    async def load() -> Fragments:
        found = await list_audit(SIZE + 1, before, text or None)
        older = NOTHING
        if len(found) > SIZE:
            after = urlencode({"text": text, "before": found[SIZE - 1].id})
            older = Markup('<div class="pages"><a class="act" href="/desk/audit?{}">Older</a></div>').format(after)
        body = table(HEADS, [_row(each) for each in found[:SIZE]], "Nobody has done anything that matches.")
        return {"actions": card("What was done", Markup("{}{}").format(body, older))}

    above = Markup(
        '<form class="filters" action="/desk/audit"><input name="text" type="search" value="{}" '
        'placeholder="Who, what or whom" aria-label="Filter"></form>'
    ).format(text)
    return View("Audit", ("audit", text, before), load, 2.0, above=above)


def _row(each: AuditView) -> tuple[Markup | str, ...]:
    run = each.action.startswith("run.")
    target = Markup('<a class="mono" href="/desk/runs/{0}">{0}</a>').format(each.target) if run else each.target
    said = ", ".join(
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in (each.details or {}).items()
    )
    return moment(each.at), each.who, Markup("<b>{}</b>").format(each.action), target, said or "–", each.via
