"""The steps in which a track is made, for everybody who may see it: how far they are, and nothing else of their runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path

from backend.api import examples
from backend.api.problems import problems
from backend.api.runs import follow
from backend.api.sse import EventStream
from backend.api.state import AppSettings, Closing
from backend.api.tracks import TrackId
from backend.domains.media.shown import versions_at_hand
from backend.errors import NotFound
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.runtime.views import RunView

router = APIRouter(prefix="/tracks/{track_id}/steps", tags=["tracks"])

MOST = 50


@dataclass(frozen=True)
class Step:
    """One run that makes something of a version of the track. `id` is the run's."""

    id: str
    task: str
    state: str
    progress: dict[str, Any] | None
    error: str | None

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> "Step":
        """What anybody may know of a run. It is given field by field, as a `RunView` has them."""
        return cls(**{name: run[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Steps:
    """All steps, newest first."""

    items: list[Step]


STEP = {name: examples.RUN[name] for name in Step.__dataclass_fields__}


@router.get("", summary="List a track's steps", responses={200: examples.shown({"items": [STEP]})} | problems(404, 503))
async def list_steps(track_id: TrackId) -> Steps:
    """What was done and is being done with the version that the track shows, and with one that is to take its place."""
    return Steps([Step.of(vars(run)) for run in await _runs(track_id)])


@router.get(
    "/{step_id}/stream",
    summary="Follow a step",
    response_class=EventStream,
    status_code=200,
    responses={200: examples.streamed(examples.STREAM)} | problems(404, 422, 503),
)
async def stream_step(
    track_id: TrackId,
    step_id: Annotated[str, Path(description="The step's id.", examples=[examples.RUN["id"]])],
    settings: AppSettings,
    closing: Closing,
    last_event_id: Annotated[int | None, Header(description="The last `id` that was seen, to go on after it.")] = None,
) -> EventStream:
    """Server-sent events: `state` and `progress` with the step as JSON, then one `end`, then the stream closes."""
    if step_id not in {run.id for run in await _runs(track_id)}:
        raise NotFound(f"the track has no step {step_id}", field="step_id")
    return EventStream(follow(step_id, last_event_id, settings.http.sse_keepalive_s, closing, Step.of))


async def _runs(track_id: str) -> list[RunView]:
    found = []
    for version_id in await versions_at_hand(track_id):
        about = await runs.list_runs(RunFilter(text=version_id), limit=MOST)
        found += [run for run in about if run.args.get("version_id") == version_id]
    return sorted(found, key=lambda run: run.id, reverse=True)
