"""The watchdog: a thread that notices when the event loop is blocked, and says by what."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from datetime import datetime

from backend.db.base import now

logger = logging.getLogger(__name__)

TICK_S = 0.1
STACK_FRAMES = 8


class LoopWatchdog:
    """Measures the loop's lag, and logs the stack of the loop's thread when the loop does not answer.

    `blocked_at` and `blocked_s` tell of the last block.
    """

    def __init__(self, block_s: float) -> None:
        self.blocked_at: datetime | None = None
        self.blocked_s = 0.0
        self._block_s = block_s
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stop = threading.Event()
        self._waiting = False  # for the loop's answer
        self._asked = time.monotonic()
        self.lag_ms = 0.0  # the longest since it was taken
        self._thread = threading.Thread(target=self._watch, name="loop watchdog", daemon=True)

    def start(self) -> None:
        """Watch until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def take_lag(self) -> float:
        """The longest lag in milliseconds since the last call."""
        lag, self.lag_ms = self.lag_ms, 0.0
        return lag

    def _watch(self) -> None:
        reported = False
        while not self._stop.wait(TICK_S):
            if not self._waiting:
                self._waiting, self._asked, reported = True, time.monotonic(), False
                try:
                    self._loop.call_soon_threadsafe(self._answer)
                except RuntimeError:
                    return  # the loop is closed
            elif not reported and (blocked_s := time.monotonic() - self._asked) >= self._block_s:
                reported = True
                self._report(blocked_s)

    def _answer(self) -> None:
        lag = time.monotonic() - self._asked
        self.lag_ms = max(self.lag_ms, lag * 1000)
        if lag >= self._block_s:
            self.blocked_at, self.blocked_s = now(), lag
        self._waiting = False

    def _report(self, blocked_s: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        # An import is dozens of frames of the interpreter's own: what asked for it is above them.
        frames = [each for each in traceback.format_stack(frame) if "<frozen " not in each] if frame else []
        stack = "".join(frames[-STACK_FRAMES:])
        logger.error("the event loop is blocked for %.1f s by:\n%s", blocked_s, stack)
        self.blocked_at, self.blocked_s = now(), blocked_s
