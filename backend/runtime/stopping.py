"""How a process is asked to stop: the first signal asks, the second does not."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that the first SIGTERM or SIGINT sets. The second one ends the process at once, with 128 + its number."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            # Nothing is lost by this: unfinished runs start again.
            os.write(2, b"leaving at once\n")
            os._exit(128 + number)
        stop.set()

    for each in SIGNALS:
        loop.add_signal_handler(each, on_signal, each)
    try:
        yield stop
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)
