"""Open streams end when the process is asked to stop, so that a stop never waits for a listener."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def closing_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that is set at SIGTERM or SIGINT, before the server's own handler runs.

    A server that stops waits for its open connections, and an event stream has no end of its own.
    Outside the main thread no signal arrives, and the event is only set when the block ends.
    """
    closing = asyncio.Event()
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        try:
            yield closing
        finally:
            closing.set()
        return
    servers = {each: signal.getsignal(each) for each in SIGNALS}

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(closing.set)
        then = servers[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for each, then in servers.items():
        if callable(then):
            signal.signal(each, on_signal)
    try:
        yield closing
    finally:
        closing.set()
        for each, then in servers.items():
            if signal.getsignal(each) is on_signal:
                signal.signal(each, then)
