"""Troubles: what needs a person now, as the watch found it."""

from fastapi import APIRouter

from backend.api import examples
from backend.api.caller import LOOKS, REFUSED
from backend.api.problems import problems
from backend.domains.alerts import watch
from backend.domains.alerts.watch import TroubleView

router = APIRouter(tags=["health"], dependencies=[LOOKS])

TROUBLE = {
    "subject": "silent:media",
    "text": "12 runs of the queue media wait, and none has started for 10 minutes.",
    "opened_at": "2026-11-23T09:14:00Z",
    "told_at": "2026-11-23T10:14:00Z",
}


@router.get("/troubles", summary="Open troubles", responses={200: examples.shown([TROUBLE])} | problems(*REFUSED, 503))
async def open_troubles() -> list[TroubleView]:
    """What the last watch found, the oldest first; it looks every minute. The operator is told of each by the channels."""
    return await watch.open_troubles()
