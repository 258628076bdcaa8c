"""The HTTP entry: imported quickly, without a warning, and with one line when it cannot be."""

import os
import subprocess
import sys

CODE = "from backend.main import app; print(app.title, len(app.routes))"


def load(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_is_an_application_and_opens_nothing() -> None:
    done = load(DATABASE_URL="postgresql://127.0.0.1:1/x", DOCKET_URL="redis://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Backline ")


def test_an_unreadable_setting_is_one_line() -> None:
    done = load(UPLOAD_LIMIT_MB="lots")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "UPLOAD_LIMIT_MB" in done.stderr
    assert done.stderr.count("\n") == 1
