"""The work that is measured: a task that notes its number and the time, and tasks that are only declared."""

import os
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from backend.runtime import task

LOG_VARIABLE = "BENCHMARK_LOG"
RECORD = struct.Struct("<qq")  # number, nanoseconds of the monotonic clock, which all processes of a machine share


@cache
def _log() -> int:
    return os.open(os.environ[LOG_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def note_start(number: int) -> None:
    """Note that run `number` started. A repeat notes it twice, which is counted."""
    os.write(_log(), RECORD.pack(number, time.monotonic_ns()))


def declare(count: int) -> list[Callable[..., Awaitable[None]]]:
    """Declare `note_start` and as many tasks that never run as make `count`. Returns their functions."""
    functions: list[Callable[..., Awaitable[None]]] = [note_start, *(_filler(index) for index in range(count - 1))]
    for function in functions:
        task(queue="analytics")(function)
    return functions


def _filler(index: int) -> Callable[..., Awaitable[None]]:
    async def filler() -> None:
        """Only declared."""

    filler.__name__ = filler.__qualname__ = f"filler_{index:02d}"
    return filler


class StartLog:
    """The file to which a system's process writes, as everybody else sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def count(self) -> int:
        """How many starts there are."""
        return self.path.stat().st_size // RECORD.size

    def starts(self) -> dict[int, int]:
        """The first start of each number that is not negative, in nanoseconds. Negative ones are for warming up."""
        found: dict[int, int] = {}
        for number, moment in RECORD.iter_unpack(self.path.read_bytes()):
            if number >= 0:
                found.setdefault(number, moment)
        return found

    def doubled(self) -> int:
        """Numbers that started more than once."""
        numbers = Counter(number for number, _ in RECORD.iter_unpack(self.path.read_bytes()))
        return sum(1 for times in numbers.values() if times > 1)
