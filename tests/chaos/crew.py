"""What a process of the crew does in these tests: the worker as it is in production, with the tests' tasks."""

import asyncio
import os
import sys
import threading
from multiprocessing import parent_process
from pathlib import Path

from backend import worker
from backend._internal.background import background
from backend._internal.background_tasks import find_rooms
from backend.runtime import registry
from backend.settings import get_settings
from tests.chaos import tasks


def run_as_process(environment: dict[str, str], directory: Path) -> None:
    """Become a process of its own: with this environment, in this directory, with a log there. Does not return."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    log = os.open("crew.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    threading.Thread(target=_leave_with_the_tests, daemon=True).start()
    sys.exit(main())


def main() -> int:
    """Declare, and work until told to stop. Returns the exit code."""
    find_rooms()
    for name in [name for name, spec in registry.items() if spec.schedule is not None]:
        del registry[name]  # its runs would be counted with those of the test
    tasks.declare()
    if os.environ.get("CHAOS_SCHEDULE"):
        tasks.declare_schedule()
    if get_settings().docket.url is None:
        asyncio.run(_work_without_docket())
        return 0
    return worker.main()


async def _work_without_docket() -> None:
    """The fallback: an API process without HTTP, which executes what is in its ledger."""
    async with worker.stop_signals() as stop, background(get_settings()):
        sys.stderr.write(f"worker {os.getpid()} is ready\n")
        await stop.wait()


def _leave_with_the_tests() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
