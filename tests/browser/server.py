"""Backline as people start it: `backline serve` in a process of its own, with SQLite and the embedded engine."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.servers import Server

Json = dict[str, Any]
ROOT = Path(__file__).parent.parent.parent
WORK_S = 120.0


class BacklineServer(Server):
    """A server with everything in its directory, and what a client does with it."""

    name = "backline"
    patience_s = 150.0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def upload(self, content: bytes, filename: str, headers: dict[str, str] | None = None, **fields: str) -> Json:
        """Send a file. Gives the answer."""
        files = {"file": (filename, content)}
        answer = httpx.post(f"{self.url}/tracks", data=fields, files=files, headers=headers, timeout=60)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def track_when(self, track_id: str, wanted: Callable[[Json], bool]) -> Json:
        """The track, once it is as it is wanted."""
        deadline = time.monotonic() + WORK_S
        while not wanted(track := httpx.get(f"{self.url}/tracks/{track_id}").json()):
            assert time.monotonic() < deadline, track
            time.sleep(0.1)
        return track

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until this is so."""
        deadline = time.monotonic() + WORK_S
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    @property
    def environment(self) -> dict[str, str]:
        """What another process of the same installation is started with."""
        data = self.directory / "data"
        own = {
            "DATA_DIR": str(data),
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.directory}/backline.db",
            "DOCKET_URL": "memory://browser",
            "PYTHONPATH": str(ROOT),
        }
        return os.environ | own

    def post(self, path: str) -> None:
        """An operator's request."""
        httpx.post(f"{self.url}{path}").raise_for_status()

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "backend.cli", "serve", "--port", str(self.port)]

    def _account(self) -> dict[str, object]:
        return {"env": self.environment}

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def is_whole(track: Json) -> bool:
    """Whether everything was made of a track that a page shows."""
    version = track["version"]
    return version["status"] == "ready" and bool(version["waveform"]) and bool(version["loudness"])
