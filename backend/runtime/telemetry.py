"""Logs and traces of a process: set up once at the entry, and every line knows its request or its run."""

import json
import logging
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

import logfire
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from backend.db.session import Database
from backend.runtime.context import active_run
from backend.runtime.hiding import hidden
from backend.runtime.spans import kept_spans
from backend.runtime.storable import storable
from backend.settings import Settings

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
_traced = False  # whether the spans of this process go anywhere


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


class _OnlyWithCause(Sampler):
    """Leaves out statements that no request and no run asked for: the runner looks at its tables several times a second.

    What was left out takes what it causes with it.
    """

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Whether to record this span: as its parent was, and without one unless it is a statement."""
        parent = get_current_span(parent_context).get_span_context()
        statement = kind is SpanKind.CLIENT and not any(str(key).startswith("http.") for key in attributes or ())
        recorded = parent.trace_flags.sampled if parent.is_valid else not statement
        decision = Decision.RECORD_AND_SAMPLE if recorded else Decision.DROP
        return SamplingResult(decision, attributes if recorded else None, parent.trace_state)

    def get_description(self) -> str:
        """Its name, for OpenTelemetry."""
        return "only with a cause"


def set_up_tracing(service: str, settings: Settings) -> bool:
    """Give this process a tracer through Logfire. Returns whether spans go anywhere.

    They are sent to Logfire when LOGFIRE_TOKEN is set, to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is, and are kept in
    the data directory as SPANS_STORE says. Only then are Redis and outgoing HTTP traced; the database follows in
    `trace_database`.
    """
    global _traced
    sent = any(os.environ.get(name) for name in DESTINATIONS)
    wanted = settings.traces.spans_store
    stored = wanted if wanted is not None else not sent and settings.http.here_only
    # Runs go on with the trace of the request that asked for them: that is what distributed tracing says.
    logfire.configure(
        service_name=service, send_to_logfire="if-token-present", distributed_tracing=True, console=False,
        additional_span_processors=[kept_spans(service, settings)] if stored else None,
        sampling=logfire.SamplingOptions(head=_OnlyWithCause()),
    )  # fmt: skip
    _traced = sent or stored
    if _traced:
        logfire.instrument_httpx()
        logfire.instrument_redis()
    return _traced


def trace_database(database: Database) -> None:
    """Trace every statement, in a process whose spans go anywhere. An engine is traced after it was made, never before."""
    if _traced:
        logfire.instrument_sqlalchemy(database.engine)
