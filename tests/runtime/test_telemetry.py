"""Logs and traces of a process."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from backend.runtime import telemetry
from backend.runtime.context import RunContext, enter_run, leave_run
from backend.runtime.lifecycle import open_background
from backend.runtime.telemetry import request_id, set_up_logging
from backend.settings import get_settings
from tests.conftest import set_environment


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """The root logger as it was."""
    root = logging.getLogger()
    before, levels = (
        root.level,
        {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "docket", "alembic")},
    )
    yield
    root.setLevel(before)
    root.removeHandler(telemetry._terminal)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("quiet_again")
def test_a_line_says_which_request_it_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    logger = logging.getLogger("backend.somewhere")
    logger.info("outside")
    token = request_id.set("r-1")
    logger.info("inside")
    request_id.reset(token)
    outside, inside = capsys.readouterr().err.splitlines()
    assert outside.endswith("backend.somewhere: outside")
    assert inside.endswith("backend.somewhere [r-1]: inside")


@pytest.mark.usefixtures("quiet_again")
def test_setting_it_up_again_only_changes_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("DEBUG")
    set_up_logging("WARNING")
    logging.getLogger("backend").info("not said")
    logging.getLogger("backend").warning("said once")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize(("level", "said"), [("INFO", 0), ("DEBUG", 0), ("ERROR", 0)])
def test_libraries_do_not_repeat_what_the_ledger_says(
    level: str, said: int, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(level)
    logging.getLogger("httpx").info("GET …")
    assert capsys.readouterr().err.count("\n") == said


TRACED = """
import asyncio, tempfile
from pathlib import Path
from logfire.testing import TestExporter
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sqlalchemy import text
from backend.db.session import Database
from backend.runtime.telemetry import set_up_tracing, trace_database
from backend.settings import get_settings
from backend.settings.database import DatabaseSettings

async def read():
    database = Database(DatabaseSettings(database_url=None, data_dir=Path(tempfile.mkdtemp())))
    trace_database(database)
    async with database.reading() as session:
        await session.execute(text("SELECT 41"))  # nobody asked for it
    with trace.get_tracer("x").start_as_current_span("ours") as span:
        assert span.get_span_context().is_valid
        async with database.reading() as session:
            await session.execute(text("SELECT 42"))
    await database.close()

traced = set_up_tracing("test", get_settings())
exporter = TestExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
asyncio.run(read())
trace.get_tracer_provider().force_flush()
kept = [path.read_text() for path in (get_settings().database.data_dir / "spans").glob("*")]
said = str([each.attributes for each in exporter.exported_spans])
assert "SELECT 41" not in said + str(kept)
print(traced, "SELECT 42" in said, "SELECT 42" in str(kept))
"""


COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "False False False"),
        ({"SPANS_STORE": "", "HTTP_HOST": "0.0.0.0"}, "False False False"),
        ({"SPANS_STORE": ""}, "True True True"),
        ({"SPANS_STORE": "1", "HTTP_HOST": "0.0.0.0"}, "True True True"),
        ({"SPANS_STORE": "", **COLLECTOR}, "True True False"),
        ({"SPANS_STORE": "1", **COLLECTOR}, "True True True"),
    ],
)
def test_statements_are_traced_only_where_spans_go_anywhere(variables: dict[str, str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRACED],
        env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == said, done.stderr


@pytest.mark.usefixtures("quiet_again")
def test_a_line_in_a_run_carries_run_task_and_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    logger = logging.getLogger("backend.somewhere")
    token = enter_run(RunContext("018f-1", "transcode_version", 2))
    logger.info("inside")
    set_up_logging("INFO", "json")
    logger.info("inside of %s", "json")
    leave_run(token)
    logger.info("outside")
    inside, *lines = capsys.readouterr().err.splitlines()
    assert inside.endswith("backend.somewhere [018f-1 transcode_version 2]: inside")
    within, outside = map(json.loads, lines)
    assert (within["run"], within["task"], within["attempt"]) == ("018f-1", "transcode_version", 2)
    assert (within["message"], within["level"], within["logger"]) == ("inside of json", "INFO", "backend.somewhere")
    assert "run" not in outside
    assert "trace" not in outside
    carrier = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    attached = context.attach(TraceContextTextMapPropagator().extract(carrier))
    logger.info("traced")
    context.detach(attached)
    assert json.loads(capsys.readouterr().err)["trace"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.usefixtures("quiet_again")
def test_a_json_line_is_one_line_bounded_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    try:
        raise ValueError("token=abcdefgh\nand more " + "x" * 100_000)
    except ValueError:
        logging.getLogger("backend.somewhere").exception("first\nsecond")
    (said,) = capsys.readouterr().err.splitlines()
    line = json.loads(said)
    assert line["message"] == "first\nsecond"
    assert "token=•••" in line["traceback"]
    assert "abcdefgh" not in said
    assert len(said) < 50_000


@pytest.mark.usefixtures("quiet_again")
async def test_a_process_says_its_config_and_no_secret(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = {"AUDD_TOKEN": "audd-very-secret", "ACCOUNT_KEYS": "k" * 40, "NOTICE_URL": "https://x.test/notice-secret"}
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_QUEUE_CONCURRENCY='{"media": 2}', **secrets)
    set_up_logging("INFO", "json")
    async with open_background(get_settings(), "worker"):
        pass
    said = capsys.readouterr().err
    (line,) = [each for each in map(json.loads, said.splitlines()) if each.get("event") == "worker.config"]
    assert (line["component"], line["status"], line["kind"]) == ("bootstrap", "ok", "worker")
    assert (line["concurrency"], line["queue_concurrency"], line["redelivery_s"]) == (10, {"media": 2}, 8.0)
    assert line["dlq_requeue_limit"] == 500
    assert [value for value in secrets.values() if value in said] == []
