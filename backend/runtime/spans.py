"""Spans that are kept in the data directory, as lines of JSON in files that others may read meanwhile."""

import json
import logging
import math
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from backend.runtime.hiding import hidden
from backend.runtime.storable import storable
from backend.settings import Settings

logger = logging.getLogger(__name__)

BATCH_MS = 1000  # what was not written yet is lost when the process is killed
TEXT_LIMIT = 20_000  # characters of one value
SHARES = 10  # of what is kept, the oldest of these goes at a time
LEVELS = {"trace": 1, "debug": 5, "info": 9, "notice": 10, "warn": 13, "error": 17, "fatal": 21}


def spans_directory(settings: Settings) -> Path:
    """Where spans are kept."""
    return settings.database.data_dir / "spans"


def kept_spans(service: str, settings: Settings) -> BatchSpanProcessor:
    """What keeps the spans of this process. Logfire hands it each span after its scrubbing."""
    limits = settings.traces.spans_store_mb * 1_000_000, settings.traces.spans_store_days * 86_400
    return BatchSpanProcessor(SpanFiles(spans_directory(settings), service, *limits), schedule_delay_millis=BATCH_MS)


class SpanFiles(SpanExporter):
    """Appends spans to a file of this process and this hour, and removes the oldest files of all when they are too much."""

    def __init__(self, directory: Path, service: str, max_bytes: int, max_age_s: float) -> None:
        self._directory, self._service = directory, service
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        self._hour, self._file = "", directory
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them all with one call to the system. A full disk costs spans, and a line in the log, and nothing else."""
        lines = "".join(json.dumps(record(span), ensure_ascii=False) + "\n" for span in spans)
        try:
            self._append(lines.encode())
            self._make_room()
        except OSError as error:
            if not self._failing:
                logger.warning("spans cannot be kept in %s: %s", self._directory, error)
            # The last line may be half of one: what follows goes to another file.
            self._failing, self._hour = True, ""
            return SpanExportResult.FAILURE
        self._failing = False
        return SpanExportResult.SUCCESS

    def _append(self, data: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        hour = f"{datetime.now(UTC):%Y%m%dT%H}"
        if hour != self._hour:
            self._new_file(hour)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            if file.write(data) != len(data):
                raise OSError("the disk took only a part")
            if file.tell() >= self._max_bytes / SHARES:
                self._new_file(hour)

    def _new_file(self, hour: str) -> None:
        self._hour = hour
        self._file = self._directory / f"{hour}-{self._service}-{os.getpid()}-{token_hex(4)}.jsonl"

    def _make_room(self) -> None:
        found = []
        for file in self._directory.glob("*.jsonl"):
            try:
                about = file.stat()
            except FileNotFoundError:  # another process made room as well
                continue
            found.append((about.st_mtime, about.st_size, file))
        total, oldest = sum(size for _, size, _ in found), time.time() - self._max_age_s
        for written_at, size, file in sorted(found):
            if total <= self._max_bytes and written_at >= oldest:
                break
            file.unlink(missing_ok=True)
            total -= size


def record(span: ReadableSpan) -> dict[str, Any]:
    """One row of `records`, with the columns that Logfire's table has. Credentials are hidden, text is bounded."""
    context, resource = span.get_span_context(), span.resource.attributes
    start, end = span.start_time or 0, span.end_time or span.start_time or 0
    given = dict(span.attributes or {})
    failed = next((dict(event.attributes or {}) for event in span.events if event.name == "exception"), None)
    row = {
        "start_timestamp": _moment(start),
        "end_timestamp": _moment(end),
        "duration": (end - start) / 1e9,
        "kind": given.get("logfire.span_type", "span"),
        "level": given.get("logfire.level_num", LEVELS["error" if span.status.status_code.name == "ERROR" else "info"]),
        "span_name": span.name,
        "message": given.get("logfire.msg", span.name),
        "trace_id": f"{context.trace_id:032x}" if context else None,
        "span_id": f"{context.span_id:016x}" if context else None,
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "is_exception": failed is not None,
        "exception_type": (failed or {}).get("exception.type"),
        "exception_message": (failed or {}).get("exception.message"),
        "exception_stacktrace": (failed or {}).get("exception.stacktrace"),
        "otel_status_code": span.status.status_code.name,
        "otel_status_message": span.status.description,
        "otel_scope_name": span.instrumentation_scope.name if span.instrumentation_scope else None,
        "service_name": resource.get("service.name"),
        "service_version": resource.get("service.version"),
        "deployment_environment": resource.get("deployment.environment.name", resource.get("deployment.environment")),
        "process_pid": resource.get("process.pid"),
        "http_method": given.get("http.request.method", given.get("http.method")),
        "http_route": given.get("http.route"),
        "http_response_status_code": given.get("http.response.status_code", given.get("http.status_code")),
        "url_full": given.get("url.full", given.get("http.url")),
        "tags": list(given.get("logfire.tags") or ()),  # type: ignore[arg-type]
        "attributes": _attributes(given),
    }
    return {name: _clean(value) for name, value in row.items()}


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%Y-%m-%dT%H:%M:%S.%f}+00:00"


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    """Without Logfire's notes to itself, which say among other things what is JSON inside text."""
    notes = json.loads(given.get("logfire.json_schema", "{}")).get("properties", {})
    inside = {name for name, schema in notes.items() if schema.get("type") in ("object", "array")}
    return {
        name: json.loads(value) if name in inside and isinstance(value, str) else value
        for name, value in given.items()
        if not name.startswith("logfire.")
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(hidden(value), TEXT_LIMIT)
    if isinstance(value, dict):
        return {storable(str(name), TEXT_LIMIT): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    return value
