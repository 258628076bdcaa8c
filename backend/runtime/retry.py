"""When a failed attempt is tried again: pure policy, no clock and no database."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from backend.errors import AuthExpired, BacklineError, Steer


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter. `base` and `cap` are seconds; three attempts mean two delays: base, base*factor.

    `jitter` spreads each delay evenly over [delay*(1-jitter), delay].
    """

    attempts: int = 3
    base: float = 5.0
    factor: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.2

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
    """What to do about `error` on attempt number `attempt`. Errors that know their answer are obeyed."""
    steer = error.steer if isinstance(error, BacklineError) else Steer.RETRY
    if isinstance(error, AuthExpired):
        return Decision(Steer.PARK, subject=error.subject)
    if steer is Steer.SNOOZE and isinstance(error, BacklineError):
        return Decision(Steer.SNOOZE, after=error.after or timedelta(seconds=1))
    if steer is Steer.DIE or attempt >= policy.attempts:
        return Decision(Steer.DIE)
    wanted = error.after if isinstance(error, BacklineError) else None
    return Decision(Steer.RETRY, after=max(wanted or timedelta(0), policy.delay(attempt, chance)))
