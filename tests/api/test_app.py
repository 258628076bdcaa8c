"""The application as a whole: its document, its start, its end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from backend.api.app import create_app
from backend.api.serving import _bound
from backend.settings import get_settings
from tests.servers import free_port


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document, as JSON."""
    return json.loads(json.dumps(create_app(get_settings()).openapi()))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_says_what_it_is(document: dict[str, Any]) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert set(operation["tags"]) <= known, name
        assert operation["summary"], name
        assert operation["description"].endswith("."), name


def test_operation_ids_are_names(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(each.isidentifier() and "_" in each for each in ids), ids


def test_every_error_is_a_documented_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        errors = {code: answer for code, answer in operation["responses"].items() if code >= "400"}
        assert errors, name
        for code, answer in errors.items():
            if name.startswith("GET /health") and code == "503":
                continue
            enveloped = "/dlq" in name  # that family has errors of its own form
            kind = "application/json" if enveloped else "application/problem+json"
            assert list(answer["content"]) == [kind], (name, code)


def test_every_json_answer_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for code, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                assert kind not in ("application/json", "text/event-stream") or "example" in content, (name, code)


async def test_the_root_leads_to_the_documentation(api: httpx.AsyncClient) -> None:
    assert (await api.get("/")).headers["location"] == "/docs"
    assert "swagger" in (await api.get("/docs")).text
    assert (await api.get("/openapi.json")).json()["info"]["title"] == "Backline"


async def test_a_stop_does_not_wait_for_an_open_stream(sqlite_url: str) -> None:
    """The server that people use, in a process of its own: SIGTERM ends it although a stream is open."""
    port = free_port()
    environment = os.environ | {"DATABASE_URL": sqlite_url, "DOCKET_URL": "memory://", "WORKERS_ENABLED": "0"}
    command = [sys.executable, "-W", "error", "-m", "uvicorn", "backend.main:app", "--port", str(port)]
    process = subprocess.Popen(  # noqa: ASYNC220  it is gone before the test is
        command, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await _up(client)
            made = await client.post("/schedules/prune_runs/run")
            async with client.stream("GET", f"/runs/{made.json()['run_id']}/stream") as stream:
                lines = stream.aiter_lines()
                async for line in lines:
                    if line.startswith("event: state"):
                        break
                asked = time.monotonic()
                process.send_signal(signal.SIGTERM)
                assert "event: end" not in [line async for line in lines]
            await asyncio.to_thread(process.wait, 40)
            assert time.monotonic() - asked < 20
    finally:
        process.kill()
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGTERM, errors
    assert "Traceback" not in errors


async def _up(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


def test_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY a client waits 40 ms for the end of each answer. asyncio sets it where the protocol is named."""
    listening = _bound("127.0.0.1", 0, "a test")
    assert listening.proto == socket.IPPROTO_TCP
    listening.close()
