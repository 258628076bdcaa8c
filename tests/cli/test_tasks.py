"""`backline tasks` and `backline run`."""

import os
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import Terminal


def test_lists_every_task(backline: Terminal) -> None:
    listed = {task["name"]: task for task in backline("tasks", "--json").json}
    assert {"transcode_version", "prune_runs", "api_note"} <= set(listed)
    assert (listed["api_note"]["queue"], listed["api_note"]["key"]) == ("curation", "note:{text}")
    assert listed["api_tidy"]["schedule"] == "0 4 * * 0"
    shown = backline("tasks")
    assert "transcode_version" in shown.out


@pytest.mark.parametrize(
    "words", [["la", "2"], ["text=la", "times=2"], ["times=2", "la"], ['{"text": "la", "times": 2}'], ["la", "times=2"]]
)
def test_runs_a_task_here_and_now(backline: Terminal, words: list[str]) -> None:
    ran = backline("run", "api_note", *words)
    assert (ran.code, ran.json) == (0, {"text": "lala"})
    assert "api_note" in ran.err
    assert backline("run", "api_note", *words, "--json").json == {"task": "api_note", "result": {"text": "lala"}}
    assert backline("runs", "list", "--json").json["items"] == []


def test_an_unknown_task_is_not_found(backline: Terminal) -> None:
    ran = backline("run", "api_nothing")
    assert (ran.code, ran.out) == (3, "")
    assert "backline tasks" in ran.err


@pytest.mark.parametrize(
    ("words", "field"),
    [(["a", "1", "2"], "ARGS"), (["pitch=3", "times=x"], "times"), (["text=a", "text=b"], "text"), (["{"], "ARGS")],
)
def test_wrong_arguments_are_a_usage_error(backline: Terminal, words: list[str], field: str) -> None:
    ran = backline("run", "api_note", *words)
    assert (ran.code, ran.out) == (2, "")
    assert field in ran.err


def test_work_that_fails_says_why_in_one_line(backline: Terminal) -> None:
    ran = backline("run", "api_die", "because")
    assert (ran.code, ran.out) == (1, "")
    assert "error: cannot: because [reason]" in ran.err


WAITING = """
import asyncio, sys
from backend.cli import main
from backend.runtime import task

@task(queue="upkeep")
async def wait() -> None:
    print("up", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)

main()
"""


def test_ctrl_c_cancels_the_work(sqlite_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", WAITING, "run", "wait"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"DATABASE_URL": sqlite_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "cleaned up\n"), err
    assert "Traceback" not in err
