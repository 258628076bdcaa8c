"""Watching one run: its present state, every change, and its progress, until it has ended."""

from collections.abc import AsyncIterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from backend.db.models.runs import TERMINAL
from backend.runtime.dispatch import dispatcher
from backend.runtime.events import Watch
from backend.runtime.runs import get_run
from backend.runtime.views import RunView

# A watcher looks into the ledger this often, so that it misses nothing when a notice is lost.
LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class Event:
    """A change of a run. `id` is the run's revision: it ascends with every change of state, and progress repeats it."""

    id: int
    kind: str  # state | progress
    run: dict[str, Any]


async def watch_run(run_id: str, last_event_id: int | None = None) -> AsyncIterator[Event]:
    """Events of a run until its terminal state, which is always the last one. Raises UnknownRun.

    With `last_event_id`, what was seen already is not told again.
    """
    seen = last_event_id or 0
    with _watching(run_id) as watch:
        run = await get_run(run_id)
        if run.revision > seen:
            yield _event(run)
            seen = run.revision
        while run.state not in TERMINAL:
            notice = await watch.get(LOOK_EVERY_S)
            if notice is not None and notice.state is None:
                run = replace(run, progress=notice.progress)
                yield Event(seen, "progress", asdict(run))
                continue
            if notice is not None and notice.state not in TERMINAL:
                if notice.revision is not None and notice.revision > seen:
                    seen = notice.revision
                    run = replace(run, state=notice.state, revision=seen)
                    yield _event(run)
                continue
            run = await get_run(run_id)
            if run.revision > seen:
                seen = run.revision
                yield _event(run)


@contextmanager
def _watching(run_id: str) -> Any:
    here = dispatcher()
    if here is not None:
        with here.hub.watching(run_id) as watch:
            yield watch
    else:
        # Without a runner nobody tells: the ledger is looked at.
        yield Watch()


def _event(run: RunView) -> Event:
    return Event(run.revision, "state", asdict(run))
