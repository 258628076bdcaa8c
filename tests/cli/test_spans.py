"""`backline spans`: the SQL that people have saved, over what a real server did, and over Logfire's API."""

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from backend.adapters.doubles import Double
from backend.api.serving import serving
from backend.errors import InvalidInput
from backend.runtime.span_queries import ask_files
from tests import audio
from tests.cli.conftest import Terminal
from tests.cli.test_server import start
from tests.conftest import set_environment
from tests.doubles import Services
from tests.doubles import services as services
from tests.servers import free_port

# As it is written in people's notes.
SAVED = """
SELECT start_timestamp, message, span_name, duration
FROM records
WHERE span_name LIKE '%copyright%'
  AND start_timestamp > NOW() - INTERVAL '1 hour'
ORDER BY start_timestamp DESC
"""
READ_TOKEN = "pylf_v1_us_read-very-secret"


async def asked(sql: str, *words: str, **variables: str) -> tuple[int, str, str]:
    """`backline spans` in a process of its own: exit code, output, errors."""

    def run() -> tuple[int, str, str]:
        with start("spans", sql, *words, **variables) as process:
            said = process.communicate(timeout=60)
        return process.returncode, *said

    return await asyncio.to_thread(run)


async def rows_of(sql: str) -> list[dict[str, Any]]:
    code, out, err = await asked(sql, "--json", "--limit", "5000")
    assert code == 0, err
    return json.loads(out)


async def _scanned(port: int, sound: Path) -> None:
    """Upload a track, once the server is ready, and wait until its scan has succeeded."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client, asyncio.timeout(90):
        while True:
            try:
                if (await client.get("/health/ready")).is_success:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        with sound.open("rb") as content:
            (await client.post("/tracks", data={"title": "A"}, files={"file": ("a.wav", content)})).raise_for_status()
        params = {"task": "scan_copyright", "state": "succeeded"}
        while not (await client.get("/runs", params=params)).json()["items"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("engine_mode", ["inline", "memory", "redis"], indirect=True)
async def test_one_trace_from_the_request_to_the_call_outside(
    engine_mode: str, sqlite_url: str, services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", SPANS_STORE=None)
    sound = audio.tone(tmp_path / "a.wav", 1.0)
    port = free_port()
    process: subprocess.Popen[str] = start("serve", "--port", str(port))
    try:
        await _scanned(port, sound)
        every = "SELECT span_name, span_id, parent_span_id, trace_id, url_full, otel_scope_name, kind FROM records"
        async with asyncio.timeout(60):  # spans come in batches; another process reads while this one writes
            while not any(row["span_name"] == "scan_copyright" for row in await rows_of(every)):
                pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        [*_, newest] = sorted((tmp_path / "data" / "spans").iterdir(), key=lambda file: file.stat().st_mtime)
        with newest.open("a") as file:
            file.write('{"start_timestamp": "20')
        spans = await rows_of(every)
        saved = await rows_of(SAVED)
    finally:
        process.kill()
        process.communicate()
    by_id = {row["span_id"]: row for row in spans}
    [call] = [row for row in spans if "httpx" in row["otel_scope_name"] and port_of(services, row["url_full"])]
    above = []
    while call := by_id.get(call["parent_span_id"], {}):  # type: ignore[assignment]
        above.append(call["span_name"])
    scheduled = "scheduled copyright scan via docket"
    if engine_mode == "inline":
        scheduled = "docket scheduling failed, falling back to asyncio"
    assert above[:2] == ["scan_copyright", scheduled]
    assert above[-1] == "POST /tracks"
    [request] = [row for row in spans if row["span_name"] == "POST /tracks"]
    scopes = {row["otel_scope_name"].rpartition(".")[2] for row in spans if row["trace_id"] == request["trace_id"]}
    assert {"fastapi", "sqlalchemy", "httpx", "backline"} <= scopes
    assert "redis" in scopes or engine_mode != "redis"
    worked = {row["trace_id"] for row in spans if row["span_name"] == "execute_run"}  # docket's own
    assert request["trace_id"] in worked or engine_mode == "inline"
    names = {row["span_name"] for row in saved}
    assert names == {"scan_copyright"} | ({scheduled} if engine_mode != "inline" else set()) | (
        names & {"sync_copyright_resolutions"}
    )
    assert list(saved[0]) == ["start_timestamp", "message", "span_name", "duration"]
    assert [row["start_timestamp"] for row in saved] == sorted((row["start_timestamp"] for row in saved), reverse=True)


def port_of(services: Services, url: str | None) -> bool:
    """Whether this is the address of AuDD's double."""
    return bool(url) and url == os.environ["AUDD_URL"]


def test_a_table_for_people(backline: Terminal) -> None:
    ran = backline("spans", SAVED)
    assert (ran.code, ran.out.strip()) == (0, "No spans match.")
    ran = backline("spans", "SELECT 42 AS answer, [1, 2] AS list, NULL AS nothing FROM range(3)", "--limit", "2")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["answer", "list", "nothing"],
        *[["42", "[1,", "2]"]] * 2,
    ]
    assert "more than 2 rows" in ran.err


@pytest.mark.parametrize("sql", ["SELEC", "SELECT x FROM records", "DROP TABLE records"])
def test_wrong_sql_is_wrong_input(backline: Terminal, sql: str) -> None:
    ran = backline("spans", sql, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


# Logfire


def logfire_double(directory: Path) -> Double:
    """Logfire's query API, over the spans in a directory. Source: https://logfire.pydantic.dev/docs/how-to-guides/query-api/"""
    app = Double("Logfire")

    @app.post("/v2/query")
    async def query(request: Request) -> Response:
        body = await request.json()
        app.asked[-1] |= body | {"accept": request.headers["accept"]}
        if request.headers.get("authorization") != READ_TOKEN:
            return JSONResponse({"detail": "Invalid token"}, 401)
        try:
            answer = await asyncio.to_thread(ask_files, directory, body["sql"], body["limit"])
        except InvalidInput as error:
            return JSONResponse({"detail": error.detail}, 400)
        fields = [{"name": name, "data_type": "Utf8", "nullable": True} for name in answer.columns]
        data = json.loads(json.dumps(answer.dicts(), default=str))
        return JSONResponse({"schema": {"fields": fields}, "data": data})

    return app


async def test_the_same_command_asks_logfire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double = logfire_double(tmp_path)
    row = {"span_name": "scheduled copyright scan via docket", "message": "m", "span_id": "a", "duration": 0.5}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (tmp_path / "a.jsonl").write_text(json.dumps(row | {"start_timestamp": now}) + "\n")
    async with serving(double) as url:
        set_environment(monkeypatch, LOGFIRE_READ_TOKEN=READ_TOKEN, LOGFIRE_BASE_URL=url)
        [found] = await rows_of(SAVED)
        assert (found["span_name"], found["duration"]) == ("scheduled copyright scan via docket", 0.5)
        assert double.asked[-1]["sql"] == SAVED
        assert double.asked[-1]["accept"].startswith("application/json")
        assert double.asked[-1]["min_timestamp"] < now
        code, out, err = await asked("SELECT * FROM range(5)", "--limit", "3", "--json")
        assert (code, len(json.loads(out))) == (0, 3)
        assert "more than 3 rows" in err
        code, _, err = await asked("SELEC 1")
        assert (code, "syntax error" in err) == (2, True)
        double.answer_next(503, "away")
        assert (await asked("SELECT 1"))[0] == 1
        code, _, err = await asked("SELECT 1", LOGFIRE_READ_TOKEN="wrong-and-secret")
        assert (code, "LOGFIRE_READ_TOKEN" in err, "wrong-and-secret" in err) == (1, True, False)
    code, _, err = await asked("SELECT 1")
    assert (code, "cannot be reached" in err, READ_TOKEN in err) == (1, True, False)
