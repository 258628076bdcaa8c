"""An error as the ledger keeps it: type, message, traceback, and a group for errors that read alike."""

import hashlib
import re
import traceback
from dataclasses import dataclass

from backend.runtime.hiding import hidden
from backend.runtime.storable import storable

TYPE_LIMIT = 180  # and the mark of the cut: the column takes 200
MESSAGE_LIMIT = 4000
TRACEBACK_LIMIT = 20_000
# What differs between two errors of one kind: ids, numbers, quoted values, paths.
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|/\S+|\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b|\d+")


@dataclass(frozen=True)
class Fault:
    """What is kept of an exception. It is text without secrets, so it can be stored whatever the exception holds."""

    type: str
    message: str
    group: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Read an exception without ever failing on it."""
        kind = type(error)
        name = (
            kind.__name__ if kind.__module__ in ("builtins", "backend.errors") else f"{kind.__module__}.{kind.__name__}"
        )
        # It reads the message of an exception whose own __str__ is broken, too.
        report = traceback.TracebackException.from_exception(error)
        name, message = storable(name, TYPE_LIMIT), storable(hidden(str(report)), MESSAGE_LIMIT)
        told = storable(hidden("".join(report.format())), TRACEBACK_LIMIT)
        return cls(name, message, group_of(name, message), told)

    def attributes(self) -> dict[str, str]:
        """As the event `exception` of a span, by OpenTelemetry's conventions."""
        return {
            "exception.type": self.type,
            "exception.message": self.message,
            "exception.stacktrace": self.traceback or "",
        }


def group_of(kind: str, message: str) -> str:
    """Equal for errors of one type whose messages differ only in numbers, ids, paths and quoted values."""
    shape = VARYING.sub("…", message.splitlines()[0] if message else "")[:200]
    return hashlib.sha256(f"{kind}:{shape}".encode()).hexdigest()[:16]
