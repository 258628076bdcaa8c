"""The run that the current code is part of: its identity and its progress."""

import math
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import asdict, dataclass, field

from backend.runtime.storable import storable

PUBLISH_EVERY_S = 0.1
RECORD_EVERY_S = 30.0
RECORD_STEP = 10.0  # percent
TOO_LITTLE = 1e-6  # of a run, to say when it will be done
MESSAGE_LIMIT = 500


@dataclass(frozen=True)
class Progress:
    """How far a run is. `eta_s` is what is left at the mean speed so far; `counts` says where results came from."""

    current: float
    total: float
    percent: float
    message: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    eta_s: float | None = None

    def to_json(self) -> dict[str, object]:
        """For the ledger and for events."""
        return asdict(self)


Report = Callable[[Progress, bool], None]  # the progress, and whether the ledger should keep it


def _nowhere(progress: Progress, record: bool) -> None:
    """A run without a ledger reports to nobody."""


class RunContext:
    """What a task may know and say about the run it is in. Get it with `current_run()`."""

    def __init__(self, run_id: str, task: str, attempt: int, report: Report = _nowhere) -> None:
        self.id = run_id
        self.task = task
        self.attempt = attempt
        self.latest: Progress | None = None
        self._report = report
        self._began = time.monotonic()
        self._published = self._recorded = float("-inf")
        self._recorded_percent = 0.0

    async def progress(
        self, current: float, total: float, message: str | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        """Say how far the run is. Cheap: call it as often as you like; what is too frequent is merged."""
        now, before = time.monotonic(), self.latest
        current, total = _finite(current), _finite(total)
        fraction = min(max(current / total, 0.0), 1.0) if total > 0 else 0.0
        spent = now - self._began
        self.latest = Progress(
            current,
            total,
            percent := round(100 * fraction, 1),
            None if message is None else storable(str(message), MESSAGE_LIMIT),
            {storable(str(name), MESSAGE_LIMIT): int(count) for name, count in (counts or {}).items()},
            round(spent / fraction - spent, 1) if fraction > TOO_LITTLE else None,
        )
        completed = fraction == 1 and (before is None or before.percent < percent)
        if now - self._published < PUBLISH_EVERY_S and not completed:
            return
        self._published = now
        record = abs(percent - self._recorded_percent) >= RECORD_STEP or now - self._recorded >= RECORD_EVERY_S
        if record:
            self._recorded, self._recorded_percent = now, percent
        self._report(self.latest, record)


def _finite(number: float) -> float:
    # Also one of numpy's becomes a number that JSON knows.
    plain = float(number)
    if not math.isfinite(plain):
        return 0.0
    return int(plain) if plain.is_integer() else plain


requester: ContextVar[str | None] = ContextVar("requester", default=None)
"""Who asks for what is enqueued from here on: set by a request, written into each run."""

_current: ContextVar[RunContext | None] = ContextVar("current_run", default=None)


def current_run() -> RunContext:
    """The run this code is part of. Called directly, without a queue, it is a run that reports to nobody."""
    return _current.get() or RunContext("direct", "direct", 1)


def active_run() -> RunContext | None:
    """The run this code is part of, or None outside of the runner."""
    return _current.get()


def active_run_id() -> str | None:
    """The id of the run this code is part of, or None outside of the runner."""
    run = _current.get()
    return run.id if run else None


def enter_run(run: RunContext) -> Token[RunContext | None]:
    """Make `run` current for this asyncio task. Give the token to `leave_run`, if the task goes on after the run."""
    return _current.set(run)


def leave_run(token: Token[RunContext | None]) -> None:
    """Back to what was before `enter_run`."""
    _current.reset(token)
