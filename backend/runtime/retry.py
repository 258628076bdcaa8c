"""When a failed attempt is tried again: pure policy, no clock and no database."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from backend.errors import AuthExpired, BacklineError, InvalidInput, Steer

YEAR_S = 366 * 86400


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter. `base` and `cap` are seconds; three attempts mean two delays: base, base*factor.

    `jitter` spreads each delay evenly over [delay*(1-jitter), delay]. Raises InvalidInput, naming what is out of bounds.
    """

    attempts: int = 3
    base: float = 5.0
    factor: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        bounds = {
            "attempts": (1, 1_000_000),
            "base": (0, YEAR_S),
            "factor": (1, 100),
            "cap": (0, YEAR_S),
            "jitter": (0, 1),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise InvalidInput(f"Retry({name}=) is between {least:,} and {most:,}", field=name)

    def delay(self, attempt: int, chance: Callable[[], float] = random.random) -> timedelta:
        """How long to wait after this attempt (1 is the first) failed."""
        # The exponent is bounded, so that attempt 10,000 is still a number.
        whole = min(self.cap, self.base * self.factor ** min(attempt - 1, 64))
        return timedelta(seconds=whole * (1 - self.jitter * chance()))


@dataclass(frozen=True)
class Decision:
    """What becomes of a run after a failed attempt."""

    steer: Steer
    after: timedelta = timedelta(0)
    subject: str | None = None  # parked until this is released


def decide(error: BaseException, attempt: int, policy: Retry, chance: Callable[[], float] = random.random) -> Decision:
    """What to do about `error` on attempt number `attempt`. Errors that know their answer are obeyed.

    A wait that an error asks for holds for a year at most.
    """
    steer = error.steer if isinstance(error, BacklineError) else Steer.RETRY
    if isinstance(error, AuthExpired):
        return Decision(Steer.PARK, subject=error.subject)
    if steer is Steer.SNOOZE and isinstance(error, BacklineError):
        return Decision(Steer.SNOOZE, after=_bounded(error.after) or timedelta(seconds=1))
    if steer is Steer.DIE or attempt >= policy.attempts:
        return Decision(Steer.DIE)
    wanted = _bounded(error.after) if isinstance(error, BacklineError) else timedelta(0)
    return Decision(Steer.RETRY, after=max(wanted, policy.delay(attempt, chance)))


def _bounded(wait: timedelta | None) -> timedelta:
    return min(max(wait or timedelta(0), timedelta(0)), timedelta(seconds=YEAR_S))
