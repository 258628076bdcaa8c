"""Spans in the data directory: what a line holds, what it never holds, and how much there may be of it."""

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, Tracer

from backend.errors import InvalidInput
from backend.runtime.span_queries import ask_files
from backend.runtime.spans import SpanFiles, record
from backend.runtime.telemetry import _OnlyWithCause

MB, DAY_S = 1_000_000, 86_400


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    provider = TracerProvider(resource=Resource({"service.name": "here"}), shutdown_on_exit=False)
    yield provider.get_tracer("test")
    provider.shutdown()


def span(tracer: Tracer, name: str, **attributes: object) -> ReadableSpan:
    made = tracer.start_span(name, attributes=attributes)
    made.end()
    assert isinstance(made, ReadableSpan)
    return made


def kept(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in directory.glob("*.jsonl") for line in file.read_text().splitlines()]


def test_a_row_has_what_logfires_table_has(tracer: Tracer, tmp_path: Path) -> None:
    with tracer.start_as_current_span("outer", attributes={"logfire.msg": "said", "logfire.level_num": 13}) as outer:
        inner = tracer.start_span("GET /x", attributes={"http.status_code": 503, "http.url": "http://a.test/x"})
        inner.record_exception(ValueError("no"))
        inner.end()
    files = SpanFiles(tmp_path / "spans", "here", MB, DAY_S)
    assert files.export([inner, outer]) is SpanExportResult.SUCCESS  # type: ignore[list-item]
    first, second = ask_files(tmp_path / "spans", "SELECT * FROM records ORDER BY start_timestamp", 9).dicts()
    assert (first["span_name"], first["message"], first["level"], first["service_name"]) == (
        "outer",
        "said",
        13,
        "here",
    )
    assert (second["parent_span_id"], second["trace_id"]) == (first["span_id"], first["trace_id"])
    assert (second["http_response_status_code"], second["url_full"]) == (503, "http://a.test/x")
    assert (second["is_exception"], second["exception_type"], second["exception_message"]) == (True, "ValueError", "no")
    assert second["duration"] == pytest.approx(
        (second["end_timestamp"] - second["start_timestamp"]).total_seconds(), abs=1e-5
    )
    assert not first["is_exception"]


def test_attributes_are_json_inside_and_out(tracer: Tracer, tmp_path: Path) -> None:
    notes = '{"type": "object", "properties": {"values": {"type": "object"}}}'
    attributes = {"values": '{"track": "t-1"}', "logfire.json_schema": notes, "http.url": "u", "share": float("nan")}
    SpanFiles(tmp_path, "here", MB, DAY_S).export([span(tracer, "x", **attributes)])
    sql = "SELECT attributes->'values'->>'track', attributes->>'http.url', attributes->>'share' FROM records"
    assert ask_files(tmp_path, sql, 9).rows == [("t-1", "u", "nan")]
    assert "json_schema" not in json.dumps(kept(tmp_path))


def test_credentials_are_hidden_and_text_is_bounded(tracer: Tracer) -> None:
    made = span(
        tracer, "x", header="Bearer abcdefgh12345678", url="https://me:hunter22@a.test/?signature=abcdefgh",
        deep=["token=abcdefgh"], long="x" * 100_000, half="\ud800",
    )  # fmt: skip
    line = json.dumps(record(made), ensure_ascii=False)
    line.encode()
    assert [secret for secret in ("abcdefgh", "hunter22") if secret in line] == []
    assert len(line) < 30_000


def test_the_oldest_go_when_it_is_too_much_whoever_wrote_them(tracer: Tracer, tmp_path: Path) -> None:
    writers = [SpanFiles(tmp_path, name, 200_000, DAY_S) for name in ("api", "worker")]
    for number in range(200):
        for writer in writers:
            writer.export([span(tracer, f"n-{number}", text="x" * 2_000)])
            # What is written meanwhile comes on top: the test allows for one more part.
            assert sum(file.stat().st_size for file in tmp_path.glob("*")) < 225_000
    names = {row["span_name"] for row in kept(tmp_path)}
    assert "n-199" in names
    assert "n-0" not in names
    assert sum(file.stat().st_size for file in tmp_path.glob("*")) > 100_000


def test_what_is_too_old_goes(tracer: Tracer, tmp_path: Path) -> None:
    old = tmp_path / "20200101T00-api-1-aaaa.jsonl"
    old.write_text("{}\n")
    os.utime(old, (time.time() - 2 * DAY_S,) * 2)
    SpanFiles(tmp_path, "api", MB, DAY_S).export([span(tracer, "new")])
    assert not old.exists()
    assert [row["span_name"] for row in kept(tmp_path)] == ["new"]


def test_a_disk_that_takes_nothing_costs_spans_and_one_line(
    tracer: Tracer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "spans"
    place.write_text("a file, where a directory should be")
    files = SpanFiles(place, "api", MB, DAY_S)
    with caplog.at_level(logging.WARNING):
        assert [files.export([span(tracer, "lost")]) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
    assert len(caplog.records) == 1
    place.unlink()
    assert files.export([span(tracer, "kept")]) is SpanExportResult.SUCCESS
    assert [row["span_name"] for row in kept(place)] == ["kept"]


def test_only_their_owner_can_read_the_files(tracer: Tracer, tmp_path: Path) -> None:
    SpanFiles(tmp_path / "spans", "api", MB, DAY_S).export([span(tracer, "x")])
    [file] = (tmp_path / "spans").iterdir()
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "attributes", "decision"),
    [
        (SpanKind.CLIENT, {"db.system": "redis"}, Decision.DROP),
        (SpanKind.CLIENT, {"http.method": "GET"}, Decision.RECORD_AND_SAMPLE),
        (SpanKind.SERVER, {}, Decision.RECORD_AND_SAMPLE),
        (SpanKind.INTERNAL, None, Decision.RECORD_AND_SAMPLE),
    ],
)
def test_statements_that_nobody_asked_for_are_no_traces(
    kind: SpanKind, attributes: dict[str, str] | None, decision: Decision
) -> None:
    assert _OnlyWithCause().should_sample(None, 1, "x", kind, attributes).decision is decision


# The SQL


def test_what_was_written_by_half_is_left_out(tracer: Tracer, tmp_path: Path) -> None:
    SpanFiles(tmp_path, "api", MB, DAY_S).export([span(tracer, "whole"), span(tracer, "torn")])
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    (tmp_path / "empty.jsonl").touch()
    SpanFiles(tmp_path, "worker", MB, DAY_S).export([span(tracer, "other")])
    names = ask_files(tmp_path, "SELECT span_name FROM records ORDER BY 1", 9).rows
    assert names == [("other",), ("whole",)]


def test_before_the_first_span_the_table_is_empty(tmp_path: Path) -> None:
    answer = ask_files(tmp_path / "nowhere", "SELECT message, level FROM records WHERE level >= 13", 9)
    assert (answer.columns, answer.rows, answer.more) == (["message", "level"], [], False)


def test_levels_have_an_order_and_answers_a_limit(tracer: Tracer, tmp_path: Path) -> None:
    numbers = (1, 5, 9, 10, 13, 17, 21)
    SpanFiles(tmp_path, "api", MB, DAY_S).export([span(tracer, "x", **{"logfire.level_num": each}) for each in numbers])
    answer = ask_files(
        tmp_path, "SELECT level_name(level) FROM records WHERE level > level_num('info') ORDER BY level", 3
    )
    assert (answer.rows, answer.more) == ([("notice",), ("warn",), ("error",)], True)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM records", "nothing"),
        ("SELECT * FROM records WHERE level >= 'warn'", "warn"),  # better an error than the order of letters
        ("", "write one SELECT"),
        ("DROP TABLE records", "write one SELECT"),
        ("SELECT 1; SELECT 2", "write one SELECT"),
        ("SET enable_external_access = true", "write one SELECT"),
        ("COPY records TO '{place}/out.csv'", ""),
        ("ATTACH '{place}/out.db'", ""),
        ("INSTALL httpfs", ""),
        ("SELECT * FROM read_text('{place}/secret')", "disabled"),
        ("SELECT * FROM read_csv('{place}/secret')", "disabled"),
        ("SELECT * FROM glob('{place}/*')", "disabled"),
        ("SELECT * FROM '{place}/secret.csv'", ""),
        ("EXPLAIN ANALYZE COPY records TO '{place}/out.csv'", ""),
    ],
)
def test_sql_can_only_read_spans(sql: str, said: str, tmp_path: Path, tracer: Tracer) -> None:
    SpanFiles(tmp_path / "spans", "api", MB, DAY_S).export([span(tracer, "x")])
    for name in ("secret", "secret.csv"):
        (tmp_path / name).write_text("a,b\n1,hunter2\n")
    with pytest.raises(InvalidInput) as refused:
        ask_files(tmp_path / "spans", sql.replace("{place}", str(tmp_path)), 9)
    assert said in refused.value.detail
    assert {path.name for path in tmp_path.iterdir()} == {"spans", "secret", "secret.csv"}
