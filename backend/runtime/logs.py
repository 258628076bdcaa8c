"""The log of an attempt: every line that is logged inside a run is kept with it, bounded and without secrets."""

import json
import logging
from collections import deque
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from backend.runtime.hiding import hidden
from backend.runtime.storable import storable

LINE_LIMIT = 4000


class AttemptLog:
    """The lines of one attempt. Beyond `limit`, the first and the last half are kept."""

    def __init__(self, limit: int) -> None:
        self._head: list[dict[str, object]] = []
        self._tail: deque[dict[str, object]] = deque(maxlen=max(limit - limit // 2, 1))
        self._limit = limit
        self._cut = 0

    def append(self, record: logging.LogRecord, message: str) -> None:
        """Keep one line: {at, level, logger, message}."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": storable(record.name, LINE_LIMIT),
            "message": message,
        }
        if len(self._head) < self._limit // 2:
            self._head.append(line)
            return
        self._cut += len(self._tail) == self._tail.maxlen
        self._tail.append(line)

    def lines(self) -> list[object]:
        """All kept lines, with one that says how many were cut."""
        cut = [{"level": "INFO", "logger": __name__, "message": f"… {self._cut} lines cut …"}] if self._cut else []
        return [*self._head, *cut, *self._tail] if self._limit else []


current_log: ContextVar[AttemptLog | None] = ContextVar("current_log", default=None)


_formatter = logging.Formatter("%(message)s")


class AttemptLogHandler(logging.Handler):
    """Sends each record to the log of the run it was made in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record if a run is current."""
        log = current_log.get()
        if log is None:
            return
        try:
            message = _formatter.format(record)
        except (TypeError, ValueError, KeyError, AttributeError):  # no reason to fail the run that logged the line
            self.handleError(record)
            return
        log.append(record, storable(hidden(message), LINE_LIMIT))


_handler = AttemptLogHandler()


def capture_logs() -> None:
    """Start capturing, once per process. Lines of our own code are kept from INFO up."""
    root = logging.getLogger()
    if _handler not in root.handlers:
        root.addHandler(_handler)
    ours = logging.getLogger("backend")
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.INFO)


def log_event(logger: logging.Logger, event: str, **fields: Any) -> None:
    """Log something that programs look for: its name, and fields that are JSON. A JSON line has them beside its own."""
    said = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    logger.info("%s %s", event, said, extra={"event": event, "fields": fields})
