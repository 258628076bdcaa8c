"""The process of one system, which works until it is told to end. `python -m benchmarks.subject KIND CONCURRENCY TASKS`"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NoReturn

from docket import Docket, Worker

from backend.runtime.engine.safe_docket import SafeDocket
from backend.runtime.engine.worker import AdaptiveWorker
from backend.runtime.lifecycle import open_background
from backend.settings import Settings
from benchmarks.systems import ENGINE, STOCK
from benchmarks.workload import declare

Functions = list[Callable[..., Awaitable[None]]]


async def work_stock(url: str, name: str, concurrency: int, functions: Functions) -> None:
    """pydocket as it comes."""
    async with Docket(name=name, url=url) as docket:
        for function in functions:
            docket.register(function)
        async with Worker(docket, concurrency=concurrency) as worker:
            await worker.run_forever()


async def work_engine(url: str, name: str, concurrency: int, functions: Functions) -> None:
    """Our docket and our worker, without anything around them."""
    async with bare_docket(url, name, concurrency) as docket:
        for function in functions:
            docket.carry(function)
        async with AdaptiveWorker(docket, "engine", concurrency, timedelta(seconds=8)) as worker:
            await worker.run_forever()


async def work_runner() -> None:
    """The whole runner, as `python -m backend.worker` opens it."""
    async with open_background(Settings(), "worker"):
        await asyncio.Event().wait()


def bare_docket(url: str, name: str, concurrency: int) -> SafeDocket:
    """Our docket where no ledger is: whatever would go there is an error."""

    async def refuse(*_: Any) -> NoReturn:
        raise RuntimeError("this docket has no ledger")

    return SafeDocket(name, url, concurrency, declare=lambda _: None, adopt=refuse, on_unreadable=refuse)


async def work(kind: str, concurrency: int, tasks: int) -> None:
    """Work until SIGTERM."""
    current = asyncio.current_task()
    assert current is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    functions = declare(tasks)
    url, name = os.environ["DOCKET_URL"], os.environ["DOCKET_NAME"]
    with contextlib.suppress(asyncio.CancelledError):
        if kind == STOCK:
            await work_stock(url, name, concurrency, functions)
        elif kind == ENGINE:
            await work_engine(url, name, concurrency, functions)
        else:
            await work_runner()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
