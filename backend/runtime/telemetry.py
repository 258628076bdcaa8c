"""Logs and traces of a process: set up once at the entry, and every line knows its request or its run."""

import json
import logging
import os
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

import logfire
from opentelemetry import trace

from backend.db.session import Database
from backend.runtime.context import active_run
from backend.runtime.hiding import hidden
from backend.runtime.storable import storable

DESTINATIONS = ("LOGFIRE_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the HTTP request being answered, if any. Log lines carry it."""

FORMAT = "%(asctime)s %(levelname)-7s %(name)s%(request)s%(run)s: %(message)s"
LIMIT = 20_000  # characters of one line's message, or of its traceback


class _Belonging(logging.Filter):
    """Gives every record the request or the run it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id, run = request_id.get(), active_run()
        record.request = f" [{record.request_id}]" if record.request_id else ""
        record.run = f" [{run.id} {run.task} {run.attempt}]" if run else ""
        return True


class _Lines(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        return storable(hidden(super().format(record)), 2 * LIMIT)


class _Json(logging.Formatter):
    """For programs: one object a line, with `at`, `level`, `logger`, `message` and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        run = active_run()
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": storable(hidden(record.getMessage()), LIMIT),
        }
        if current := request_id.get():
            line["request"] = current
        if run is not None:
            line |= {"run": run.id, "task": run.task, "attempt": run.attempt}
        if (span := trace.get_current_span().get_span_context()).is_valid:
            line["trace"] = f"{span.trace_id:032x}"
        if record.exc_info:
            line["traceback"] = storable(hidden(self.formatException(record.exc_info)), LIMIT)
        if event := getattr(record, "event", None):
            line |= {"event": event, **getattr(record, "fields", {})}
        return json.dumps(line, ensure_ascii=False, default=str)


FORMATS = {"console": _Lines(FORMAT), "json": _Json()}


class _Terminal(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment, and says what a line belongs to."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.addFilter(_Belonging())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


_terminal = _Terminal()


def set_up_logging(level: str = "INFO", form: str = "console") -> None:
    """Log to standard error, one line a record, as `console` or as `json`. Calling it again changes only these two."""
    root = logging.getLogger()
    root.setLevel(level)
    # Some loggers have a lower level of their own, for the logs that runs keep.
    _terminal.setLevel(level)
    _terminal.setFormatter(FORMATS[form])
    if _terminal not in root.handlers:
        root.addHandler(_terminal)
    # These say on INFO what is already said by the ledger.
    for name in ("httpx", "httpcore", "docket", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def set_up_tracing(service: str) -> bool:
    """Give this process a tracer through Logfire. Returns whether spans are sent anywhere.

    They are sent to Logfire when LOGFIRE_TOKEN is set, and to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is. Only then
    are Redis and outgoing HTTP traced; the database follows in `trace_database`.
    """
    # Runs go on with the trace of the request that asked for them: that is what distributed tracing says.
    logfire.configure(service_name=service, send_to_logfire="if-token-present", distributed_tracing=True, console=False)
    sent = any(os.environ.get(name) for name in DESTINATIONS)
    if sent:
        logfire.instrument_httpx()
        logfire.instrument_redis()
    return sent


def trace_database(database: Database) -> None:
    """Trace every statement, when spans are sent anywhere. An engine is traced after it was made, never before."""
    if any(os.environ.get(name) for name in DESTINATIONS):
        logfire.instrument_sqlalchemy(database.engine)
