"""The worker process: it executes, it drains, and a second signal does not wait."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from secrets import token_hex

import httpx
import pytest

from backend.api.app import create_app
from backend.api.serving import serving
from backend.db.session import Database, open_database
from backend.runtime import runs
from backend.settings import get_settings
from tests.api import room
from tests.api.following import events
from tests.conftest import set_environment

CODE = "import sys, tests.api.room; from backend.worker import main; sys.exit(main())"


@pytest.fixture
async def ledger(sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A ledger that a worker process shares with the test."""
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{token_hex(6)}",
        RUNNER_SHUTDOWN_GRACE_S="5", RUNNER_POLL_S="0.1",
    )  # fmt: skip
    async with open_database(get_settings().database) as database:
        yield database


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", CODE]
    return subprocess.Popen(command, env=os.environ.copy(), stderr=subprocess.PIPE, text=True)


async def reached(run_id: str, *states: str) -> str:
    async with asyncio.timeout(60):
        while (run := await runs.get_run(run_id)).state not in states:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return run.state


async def end(process: subprocess.Popen[str], *signals: signal.Signals) -> str:
    for each in signals:
        process.send_signal(each)
        await asyncio.sleep(0.3)
    _, errors = await asyncio.to_thread(process.communicate, timeout=60)
    return errors


@pytest.mark.usefixtures("ledger")
async def test_executes_what_another_process_enqueued_and_drains() -> None:
    receipt = await room.schedule_api_note("from afar")
    process = start()
    assert await reached(receipt.id, "succeeded", "dead") == "succeeded"
    errors = await end(process, signal.SIGTERM)
    assert process.returncode == 0, errors
    assert "stopped" in errors


@pytest.mark.usefixtures("ledger")
async def test_what_does_not_end_in_time_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_SHUTDOWN_GRACE_S="0.5")
    receipt = await room.schedule_api_wait()
    process = start()
    await reached(receipt.id, "running")
    errors = await end(process, signal.SIGINT)
    assert process.returncode == 0, errors
    run = await runs.get_run(receipt.id)
    assert (run.state, run.attempt) == ("waiting", 0)
    assert [attempt.outcome for attempt in run.attempts] == ["interrupted"]


@pytest.mark.usefixtures("ledger")
async def test_a_second_signal_does_not_wait() -> None:
    receipt = await room.schedule_api_wait()
    process = start()
    await reached(receipt.id, "running")
    errors = await end(process, signal.SIGTERM, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert "leaving at once" in errors
    assert (await runs.get_run(receipt.id)).state == "running"  # another worker takes it over


@pytest.mark.usefixtures("ledger")
async def test_an_api_that_does_not_work_tells_live_what_a_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, WORKERS_ENABLED="0")
    sent = []
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=60) as api:
        receipt = await room.schedule_api_steps(30)
        set_environment(monkeypatch, WORKERS_ENABLED=None)
        process = start()
        async with api.stream("GET", f"/runs/{receipt.id}/stream") as response:
            sent = [each async for each in events(response) if each.event]
        errors = await end(process, signal.SIGTERM)
    assert process.returncode == 0, errors
    assert (sent[-1].event, sent[-1].data["state"], sent[-1].data["result"]) == ("end", "succeeded", 30)
    percents = [each.data["progress"]["percent"] for each in sent if each.event == "progress"]
    assert percents == sorted(percents)
    assert len(percents) > 3


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({}, "DOCKET_URL"),
        ({"DOCKET_URL": "memory://", "WORKERS_ENABLED": "0"}, "WORKERS_ENABLED"),
        ({"DOCKET_URL": "memory://", "HARMONY_DISABLE_WORKERS": "1"}, "WORKERS_ENABLED"),
        ({"DOCKET_WORKER_CONCURRENCY": "0"}, "DOCKET_WORKER_CONCURRENCY"),
    ],
)
def test_what_cannot_work_says_why_in_one_line(variables: dict[str, str], field: str) -> None:
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "backend.worker"],
        env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert process.returncode == 1
    assert process.stderr.startswith("error: ")
    assert field in process.stderr
    assert "Traceback" not in process.stderr
