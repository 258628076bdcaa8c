"""`backline serve`, `backline worker`, and how commands speak of what is wrong."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from backend.cli import app
from tests.cli.conftest import Terminal
from tests.conftest import set_environment
from tests.servers import free_port

BACKLINE = [sys.executable, "-W", "error", "-m", "backend.cli"]


def start(*words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BACKLINE, *words], env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not become ready")


def test_serves_until_it_is_asked_to_stop(sqlite_url: str) -> None:
    port = free_port()
    process = start("serve", "--port", str(port), DATABASE_URL=sqlite_url, DOCKET_URL="memory://")
    try:
        until_ready(port)
        response = httpx.get(f"http://127.0.0.1:{port}/runs/x", headers={"X-Request-ID": "find-me"})
        assert response.headers["x-request-id"] == "find-me"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    assert "[find-me]" in err
    assert "Traceback" not in err


def test_a_port_that_is_taken(sqlite_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("serve", "--port", str(taken.getsockname()[1]), DATABASE_URL=sqlite_url)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "choose another with --port" in err


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DOCKET_URL": "amqp://x"}, "DOCKET_URL"),
        ({"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}, "the database cannot be reached"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(variables: dict[str, str], said: str) -> None:
    process = start("serve", "--port", "0", **variables)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert said in err
    assert "Traceback" not in err
    assert "hunter2" not in err


def test_the_worker_is_an_entry_of_its_own() -> None:
    process = start("worker", DOCKET_URL="")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "set DOCKET_URL" in err


def test_no_command_is_without_help(backline: Terminal) -> None:
    groups = {"runs", "dead", "queues", "schedules", "sign-ins", "alerts"}
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands if group.typer_instance else ():
            assert backline(str(group.name), str(command.name), "--help").code == 0
    for command in app.registered_commands:
        assert backline(str(command.name), "--help").code == 0
    assert {group.name for group in app.registered_groups} == groups
    assert "Exit codes" in backline("--help").out


@pytest.mark.parametrize("words", [[], ["runs"], ["run"], ["fly"], ["runs", "fly"], ["runs", "show"]])
def test_a_line_that_is_no_command_is_a_usage_error(backline: Terminal, words: list[str]) -> None:
    assert backline(*words).code == 2


def test_an_unreadable_setting_is_one_line(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="soon")
    ran = backline("runs", "list")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "RUNNER_POLL_S" in ran.err
