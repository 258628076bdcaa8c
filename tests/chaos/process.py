"""One process of the crew, started, killed, frozen and stopped by a test."""

import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.chaos.crew import run_as_process

READY_WITHIN_S = 60.0

# Each process is forked from one that has imported everything and done nothing, which saves seconds for each.
_forks = get_context("forkserver")
_forks.set_forkserver_preload(["tests.chaos.crew"])


class CrewProcess:
    """A worker process with an environment and a log of its own."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._environment = environment
        self._process: BaseProcess | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int:
        """Its id, also after its end."""
        assert self._process is not None, "it was never started"
        assert self._process.pid is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote so far, over all its starts."""
        path = self.directory / "crew.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it says that it is ready. Fails with its log when it does not."""
        self._process = _forks.Process(target=run_as_process, args=(self._environment, self.directory), daemon=True)
        self._process.start()
        deadline = time.monotonic() + READY_WITHIN_S
        while f"worker {self.pid} is ready" not in self.log:
            assert self.running, f"it does not start; its log ends:\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"it is not ready in time; its log ends:\n{self.log[-4000:]}"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open, and it does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, without waiting for what comes of it."""
        os.kill(self.pid, signal.SIGTERM)

    def exit_code(self, patience_s: float) -> int | None:
        """Its exit code, or None when it still runs after that long. Negative: the signal that ended it."""
        assert self._process is not None
        self._process.join(patience_s)
        return self._process.exitcode
