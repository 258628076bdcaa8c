"""Logs and traces of a process: set up once at the entry, and every line knows its request."""

import logging
import os
import sys
from contextvars import ContextVar
from typing import TextIO

import logfire

from backend.db.session import Database

DESTINATIONS = ("LOGFIRE_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the HTTP request being answered, if any. Log lines carry it."""

FORMAT = "%(asctime)s %(levelname)-7s %(name)s%(request)s: %(message)s"


class _RequestFilter(logging.Filter):
    """Gives every record the id of the request it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        current = request_id.get()
        record.request_id = current
        record.request = f" [{current}]" if current else ""
        return True


class _Terminal(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment, and says which request a line belongs to."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter(FORMAT))
        self.addFilter(_RequestFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


_terminal = _Terminal()


def set_up_logging(level: str = "INFO") -> None:
    """Log to standard error, one line a record. Calling it again only changes the level."""
    root = logging.getLogger()
    root.setLevel(level)
    # Some loggers have a lower level of their own, for the logs that runs keep.
    _terminal.setLevel(level)
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
