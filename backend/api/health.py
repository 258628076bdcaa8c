"""Is it alive, can it take work, does everything work: three questions, three answers."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from backend.api import examples
from backend.runtime.health import HealthView, health

router = APIRouter(prefix="/health", tags=["health"])

VERDICTS: dict[int | str, dict[str, Any]] = {
    200: examples.shown({"ok": True, "degraded": []}),
    503: examples.shown({"ok": False, "degraded": ["redis"]}),
}


class Pulse(BaseModel):
    """One verdict."""

    ok: bool
    degraded: list[str] = Field(description="What works badly without making this process useless.")


@router.get(
    "", summary="Full health", responses={200: examples.shown(examples.HEALTH), 503: examples.shown(examples.UNHEALTHY)}
)
async def show_health(response: Response) -> HealthView:
    """Everything that was checked. 200 when live and ready, even if `degraded` names something; else 503."""
    view = await health()
    response.status_code = 200 if view.live and view.ready else 503
    return view


@router.get("/live", summary="Liveness", response_model=Pulse, responses=VERDICTS)
async def is_live(response: Response) -> Pulse:
    """503 means: restart this process. Its own loop or its runner has stopped; nothing outside counts."""
    view = await health()
    return _pulse(response, view.live, view)


@router.get("/ready", summary="Readiness", response_model=Pulse, responses=VERDICTS)
async def is_ready(response: Response) -> Pulse:
    """503 means: send no requests here for now. A restart would not help."""
    view = await health()
    return _pulse(response, view.ready, view)


def _pulse(response: Response, well: bool, view: HealthView) -> Pulse:
    response.status_code = 200 if well else 503
    return Pulse(ok=well, degraded=view.degraded)
