"""`backline demo`: the whole system on real sound, as a newcomer meets it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import audio

COMMAND = [sys.executable, "-W", "error", "-m", "backend.cli", "demo"]


def run(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=110
    )


def test_a_composed_piece_goes_all_the_way_through(tmp_path: Path) -> None:
    # Whatever the environment says, the demo is embedded.
    done = run("--once", cwd=tmp_path, DOCKET_URL="redis://127.0.0.1:1", DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert done.returncode == 0, done.stderr
    for text in ("Four Chords", "ready", "LUFS integrated", "playlist.m3u8", "█", "transcode_version", "Through in"):
        assert text in done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own_as_json(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "my tone;.flac", 3.0)
    done = run("--once", "--json", "--data-dir", "kept", file.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["ok"], said["track"]["version"]["status"]) == (True, "ready")
    assert said["track"]["version"]["original"]["filename"] == "my tone;.flac"
    assert {run["state"] for run in said["runs"]} == {"succeeded"}
    assert set(said["seconds"]["runs"]) == {run["id"] for run in said["runs"]}
    assert (tmp_path / "kept" / "backline.db").exists()


@pytest.mark.parametrize(
    ("make", "said"), [(audio.text, "not sound"), (audio.empty, "is empty"), (audio.truncated, "cut short")]
)
def test_a_file_that_is_no_good_fails_with_a_reason(tmp_path: Path, make: object, said: str) -> None:
    file = make(tmp_path / "bad.wav")  # type: ignore[operator]
    done = run("--once", str(file), cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    done = run("--once", "nowhere.wav", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_without_once_it_serves_on_until_ctrl_c(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "tone.wav", 1.0)
    process = subprocess.Popen(
        [*COMMAND, str(file)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Serving on" in line:
            break
    url = next(word for line in lines for word in line.split() if word.startswith("http://")).rstrip(":")
    assert httpx.get(f"{url}/health/ready").json()["ok"] is True
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
