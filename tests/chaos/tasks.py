"""Tasks that work, fail, die and get in each other's way. They are declared where a test or its crew asks for them."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from backend.runtime import Retry, current_run, registry, task
from backend.runtime.registry import TaskFunction
from tests.chaos.effects import VARIABLE, leave


class Unpicklable(Exception):
    """An exception that holds what cannot be pickled, and that dies when somebody tries."""

    def __init__(self, number: int) -> None:
        super().__init__(f"run number {number} fails")
        self.lock = asyncio.Lock()
        self.callback = lambda: number

    def __reduce__(self) -> str:
        raise TypeError("this exception does not pickle")


async def labour(number: int, seconds: float = 0.0) -> int:
    """Work for a while."""
    leave("began", current_run().id)
    await asyncio.sleep(seconds)
    leave("done", current_run().id)
    return number


async def errand(number: int) -> int:
    """Work of a queue that is otherwise empty, so that it is handed over at once."""
    return await labour(number)


async def stumble(number: int) -> None:
    """Fail with an exception that does not pickle."""
    leave("began", current_run().id)
    raise Unpicklable(number)


async def poison(seconds: float = 0.0) -> None:
    """Take the whole process down."""
    leave("began", current_run().id)
    await asyncio.sleep(seconds)
    os._exit(137)


async def alone(seconds: float) -> bool:
    """Work that must never overlap with itself. Returns whether it was alone."""
    run = current_run().id
    leave("began", run)
    with _locked() as mine:
        await asyncio.sleep(seconds)
    leave("done" if mine else "overlapped", run)
    return mine


async def beat() -> None:
    """One beat of a schedule."""
    leave("done", current_run().id)


@contextmanager
def _locked() -> Iterator[bool]:
    descriptor = os.open(f"{os.environ[VARIABLE]}.lock", os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def declare() -> None:
    """Declare the tasks in this process."""
    policies: dict[TaskFunction, dict[str, object]] = {
        labour: {"queue": "media"},
        errand: {"queue": "federation"},
        stumble: {"queue": "library", "retry": Retry(attempts=2, base=0.2)},
        poison: {"queue": "curation"},
        alone: {"queue": "analytics", "limit": 1},
    }
    for function, policy in policies.items():
        if function.__name__ not in registry:
            task(**policy)(function)  # type: ignore[arg-type]


def declare_schedule() -> None:
    """Declare a schedule that is due every second."""
    task(queue="upkeep", every=1, overlap="allow")(beat)
