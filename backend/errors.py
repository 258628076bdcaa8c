"""Every error Backline raises on purpose. Each knows its HTTP status and what a run does about it.

BacklineError
├── InvalidInput            422  permanent: the caller's value is wrong
│   ├── InvalidArguments    422  a task was called with arguments its signature refuses
│   ├── InvalidSchedule     422  a cron expression or an interval that cannot be read
│   ├── TooLarge            413  a body over its limit
│   ├── UnsafeAddress       422  a server in a private network, or one without encryption
│   └── UnsupportedMedia    415  bytes that are not what the route takes
├── NotFound                404  permanent
│   ├── UnknownTask         404  a task name nobody declared
│   └── UnknownRun          404
├── SignInRequired          401  permanent: the caller did not say who they are
├── Forbidden               403  permanent: the caller is known and may not
├── Conflict                409  permanent: the thing is in a state that forbids this
├── Misconfigured           500  permanent: a setting is unreadable or missing
├── Refused                 502  permanent: another server refuses what it was asked for
├── Unavailable             503  try again: something outside is away
│   ├── BadAnswer           502  try again: another server's answer cannot be read
│   └── RateLimited         429  try again after the given time
├── AuthExpired             401  park: the account must sign in again
├── Snooze                  503  hand the run back and start it later; no attempt is spent
├── TimedOut                504  try again: the attempt took longer than its limit
└── WorkerLost              500  permanent: the worker died under the run too often
"""

from datetime import timedelta
from enum import StrEnum


class Steer(StrEnum):
    """What a run does when its work raises."""

    RETRY = "retry"  # back to scheduled while attempts are left, then dead
    DIE = "die"  # dead at once
    PARK = "park"  # waiting, until the subject is released
    SNOOZE = "snooze"  # scheduled again, and the attempt does not count


class BacklineError(Exception):
    """The root. `field` names the input that was wrong, `after` says how long to wait."""

    status: int = 500
    title: str = "Internal error"
    steer: Steer = Steer.DIE

    def __init__(self, detail: str, *, field: str | None = None, after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.after = after


class InvalidInput(BacklineError):
    """A value the caller gave is wrong. `field` says which."""

    status, title = 422, "Invalid input"


class InvalidArguments(InvalidInput):
    """A task was called with arguments that its signature refuses."""

    title = "Invalid task arguments"


class InvalidSchedule(InvalidInput):
    """A cron expression or an interval that cannot be read."""

    title = "Invalid schedule"


class TooLarge(InvalidInput):
    """A body over its limit."""

    status, title = 413, "Content too large"


class UnsafeAddress(InvalidInput):
    """A server that the platform does not call: in a private network, or without encryption."""

    title = "Address not allowed"


class UnsupportedMedia(InvalidInput):
    """Bytes that are not what was asked for, whatever their name says."""

    status, title = 415, "Unsupported media type"


class NotFound(BacklineError):
    """The thing named does not exist."""

    status, title = 404, "Not found"


class UnknownTask(NotFound):
    """A task name that no room declares."""

    title = "Unknown task"


class UnknownRun(NotFound):
    """A run id that is not in the ledger."""

    title = "Unknown run"


class SignInRequired(BacklineError):
    """The caller did not say who they are, or what they said is no longer true."""

    status, title = 401, "Sign-in required"


class Forbidden(BacklineError):
    """The caller is known and may not do this."""

    status, title = 403, "Forbidden"


class Conflict(BacklineError):
    """The thing is in a state that forbids what was asked."""

    status, title = 409, "Conflict"


class Misconfigured(BacklineError):
    """A setting cannot be read, or one that is needed is missing."""

    title = "Misconfigured"


class Refused(BacklineError):
    """Another server refuses what it was asked for. `name` is its own word for why, such as `InvalidSwap`."""

    status, title = 502, "Refused elsewhere"

    def __init__(self, detail: str, *, name: str = "") -> None:
        super().__init__(detail)
        self.name = name


class Unavailable(BacklineError):
    """Something outside is away. Another try may work."""

    status, title, steer = 503, "Unavailable", Steer.RETRY


class BadAnswer(Unavailable):
    """Another server's answer cannot be read, or is too large."""

    status, title = 502, "Unusable answer"


class RateLimited(Unavailable):
    """A provider asked to wait. `after` is its Retry-After."""

    status, title = 429, "Too many requests"


class AuthExpired(BacklineError):
    """The account must sign in again. `subject` names it, for example `account:did:plc:abc`."""

    status, title, steer = 401, "Sign-in expired", Steer.PARK

    def __init__(self, detail: str, *, subject: str) -> None:
        super().__init__(detail)
        self.subject = subject


class Snooze(BacklineError):
    """Not now: start the run again after `after`. The attempt does not count."""

    status, title, steer = 503, "Snoozed", Steer.SNOOZE

    def __init__(self, detail: str = "snoozed", *, after: timedelta) -> None:
        super().__init__(detail, after=after)


class TimedOut(BacklineError):
    """An attempt took longer than its task allows."""

    status, title, steer = 504, "Timed out", Steer.RETRY


class WorkerLost(BacklineError):
    """The worker process died under this run too often, so it is not started again."""

    title = "Worker lost"
