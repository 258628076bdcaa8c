"""One process of the crew, started, killed, frozen and stopped by a test."""

import os
import signal
import sys
import time
from pathlib import Path

from tests.servers import Server


class CrewProcess(Server):
    """`python -m tests.chaos.crew` with an environment. It is started once it says that it is ready.

    In `environment`, None leaves a variable out.
    """

    name = "crew"

    def __init__(self, directory: Path, environment: dict[str, str | None]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory)
        wanted = {**os.environ, **environment}
        self._environment = {name: value for name, value in wanted.items() if value is not None}

    @property
    def log(self) -> str:
        """What it wrote so far, over all its starts."""
        return (self.directory / "server.log").read_text(errors="replace")

    def terminate(self) -> None:
        """SIGTERM, without waiting for what comes of it."""
        os.kill(self.pid, signal.SIGTERM)

    def exit_code(self, patience_s: float) -> int | None:
        """Its exit code, or None when it still runs after that long. Negative: the signal that ended it."""
        assert self._process is not None
        deadline = time.monotonic() + patience_s
        while (code := self._process.poll()) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return code

    def _account(self) -> dict[str, object]:
        return {"env": self._environment}

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.crew"]

    def _answers(self) -> bool:
        return self._process is not None and f"worker {self._process.pid} is ready" in self.log
