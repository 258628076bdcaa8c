"""What the tasks of these tests leave behind: one line for each start and each finish, in a file that outlives them."""

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "CHAOS_EFFECTS"


@dataclass(frozen=True)
class Effect:
    """Something a task did. `at` is seconds since the epoch."""

    what: str  # began | done
    run_id: str
    pid: int
    at: float


def leave(what: str, run_id: str) -> None:
    """Append a line. A line this short is written whole, whoever else writes and whoever dies."""
    line = f"{what} {run_id} {os.getpid()} {time.time():.6f}\n"
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


class Effects:
    """The file, read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, what: str | None = None) -> list[Effect]:
        """All effects of one kind in the order they happened."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        effects = [Effect(kind, run_id, int(pid), float(at)) for kind, run_id, pid, at in map(str.split, lines)]
        return [effect for effect in effects if what in (None, effect.what)]

    def count(self, what: str) -> int:
        """How many there are of one kind."""
        return len(self.read(what))

    def by_run(self, what: str) -> dict[str, list[Effect]]:
        """The effects of one kind, by run."""
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.read(what):
            found[effect.run_id].append(effect)
        return found

    def repeated(self) -> dict[str, int]:
        """Runs that did their work more than once, with how often."""
        return {run_id: len(done) for run_id, done in self.by_run("done").items() if len(done) > 1}
