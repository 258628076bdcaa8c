"""A system's process: started, watched from outside, and ended."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from benchmarks.systems import Site
from benchmarks.workload import StartLog

ROOT = Path(__file__).parent.parent
POLL_S = 0.02
END_S = 10.0


class SubjectFailed(Exception):
    """A system's process ended by itself, or did not finish in time. The text ends with what it said."""


class Subject:
    """One `benchmarks.subject` process. Use it as a context manager."""

    def __init__(self, site: Site, tasks: int = 1) -> None:
        self.log = StartLog(site.log)
        self._output = site.directory / "output"
        system = site.system
        self._command = [sys.executable, "-m", "benchmarks.subject", system.kind, str(system.concurrency), str(tasks)]
        self._environment = {**site.environment(), "PYTHONPATH": str(ROOT)}
        self._directory = site.directory

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._directory, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        self._vitals = psutil.Process(self._process.pid)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """Processor time of the process so far."""
        times = self._vitals.cpu_times()
        return times.user + times.system

    def memory_mb(self) -> float:
        """Resident memory."""
        return self._vitals.memory_info().rss / 1e6

    async def until(self, starts: int, patience_s: float) -> None:
        """Wait until there are that many starts. Raises SubjectFailed."""
        deadline = time.monotonic() + patience_s
        while self.log.count() < starts:
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._output.read_text(errors="replace")[-3000:]
                raise SubjectFailed(f"{' '.join(self._command[2:])}: {self.log.count()} of {starts} starts\n{said}")
            await asyncio.sleep(POLL_S)
