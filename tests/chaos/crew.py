"""A process of the crew for these tests: the worker as it is in production, with the tests' tasks. `python -m`."""

import asyncio
import os
import sys

from backend import worker
from backend._internal.background import background
from backend.settings import get_settings
from tests.chaos import tasks


async def work_without_docket() -> None:
    """The fallback: an API process without HTTP, which executes what is in its ledger."""
    async with worker.stop_signals() as stop, background(get_settings()):
        sys.stderr.write(f"worker {os.getpid()} is ready\n")
        await stop.wait()


def main() -> int:
    """Declare, and work until told to stop. Returns the exit code."""
    tasks.declare()
    if os.environ.get("CHAOS_SCHEDULE"):
        tasks.declare_schedule()
    if get_settings().docket.url is None:
        asyncio.run(work_without_docket())
        return 0
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
