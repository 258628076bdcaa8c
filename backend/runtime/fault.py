"""An error as the ledger keeps it: type, message, traceback, and a group for errors that read alike."""

import hashlib
import re
import traceback
from dataclasses import dataclass

MESSAGE_LIMIT = 4000
TRACEBACK_LIMIT = 20_000
# What differs between two errors of one kind: ids, numbers, quoted values, paths.
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|/\S+|\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b|\d+")


@dataclass(frozen=True)
class Fault:
    """What is kept of an exception. It is text, so it can be stored whatever the exception holds."""

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
        message, trace = str(report), "".join(report.format())
        return cls(name, storable(message, MESSAGE_LIMIT), group_of(name, message), storable(trace, TRACEBACK_LIMIT))


def storable(text: str, limit: int) -> str:
    """Text that both databases take, with its middle cut when it is too long."""
    clean = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= limit else f"{clean[: limit // 2]}\n… cut …\n{clean[-limit // 2 :]}"


def group_of(kind: str, message: str) -> str:
    """Equal for errors of one type whose messages differ only in numbers, ids, paths and quoted values."""
    shape = VARYING.sub("…", message.splitlines()[0] if message else "")[:200]
    return hashlib.sha256(f"{kind}:{shape}".encode()).hexdigest()[:16]
