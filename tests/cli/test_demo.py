"""`backline demo`: the whole system on real sound, as a newcomer meets it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests import audio
from tests.cli.conftest import Terminal
from tests.conftest import set_environment

DEMO = [sys.executable, "-W", "error", "-m", "backend.cli", "demo"]


def test_a_composed_piece_goes_all_the_way_through(
    backline: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever the environment says, the demo is embedded; afterwards the environment is as it was.
    set_environment(monkeypatch, DOCKET_URL="redis://127.0.0.1:1", DATABASE_URL="postgresql://127.0.0.1:1/x")
    before, there = dict(os.environ), set(tmp_path.rglob("*"))
    ran = backline("demo", "--once")
    assert ran.code == 0, ran.err
    for text in (
        "Four Chords",
        "ready",
        "LUFS integrated",
        "/t/",
        "playlist.m3u8",
        "█",
        "transcode_version",
        "Through in",
    ):
        assert text in ran.out
    assert (dict(os.environ), set(tmp_path.rglob("*"))) == (before, there)


def test_a_file_of_ones_own_as_json(backline: Terminal, tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "my tone;.flac", 3.0)
    ran = backline("demo", "--once", "--json", "--data-dir", "kept", str(file))
    assert (ran.code, ran.json["ok"]) == (0, True), ran.err
    version = ran.json["track"]["version"]
    assert (version["status"], version["original"]["filename"]) == ("ready", "my tone;.flac")
    assert {run["state"] for run in ran.json["runs"]} == {"succeeded"}
    assert set(ran.json["seconds"]["runs"]) == {run["id"] for run in ran.json["runs"]}
    assert (tmp_path / "kept" / "backline.db").exists()


@pytest.mark.parametrize(
    ("make", "said"), [(audio.text, "not sound"), (audio.empty, "is empty"), (audio.truncated, "cut short")]
)
def test_a_file_that_is_no_good_fails_with_a_reason(
    backline: Terminal, tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    ran = backline("demo", "--once", str(make(tmp_path / "bad.wav")))
    assert ran.code != 0
    assert said in ran.out + ran.err


def test_a_file_that_is_not_there_is_a_usage_error(backline: Terminal) -> None:
    ran = backline("demo", "--once", "nowhere.wav")
    assert (ran.code, ran.out) == (2, "")
    assert "nowhere.wav" in ran.err


def test_without_once_it_serves_on_until_ctrl_c(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "tone.wav", 1.0)
    process = subprocess.Popen(
        [*DEMO, str(file)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Serving on" in line:
            break
    url = next(word for line in lines for word in line.split() if word.startswith("http://")).rstrip(":")
    page = next(word for word in lines[-1].split() if "/t/" in word)
    assert "<h1" in httpx.get(page).text
    assert httpx.get(f"{url}/health/ready").json()["ok"] is True
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
