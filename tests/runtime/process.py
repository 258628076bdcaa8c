"""A worker process for tests: opens the crew of the environment's settings until it gets a signal.

`python -m tests.runtime.process [tick] [newcomer]` prints its name when it is ready.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.runtime import rooms
from tests.runtime.crew import open_crew


async def serve() -> None:
    """Be one of the crew until SIGTERM."""
    rooms.declare(*sys.argv[1:])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_crew() as runner:
        print(runner.card.name, flush=True)
        await stop.wait()


class Other:
    """Another process of the crew, as the test sees it."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process

    async def stop(self) -> int:
        """Ask it to end, and wait. Returns its exit status."""
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 20)

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def other_process(*more: str) -> AsyncIterator[Other]:
    """Another process with the settings of this environment, killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtime.process", *more, stdout=PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            name = (await process.stdout.readline()).decode().strip()
        assert name, "the process did not start"
        yield Other(name, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
