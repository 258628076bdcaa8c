"""Supervision: a background loop that dies is noticed, logged with its error, and started again with backoff."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from backend.runtime.fault import Fault
from backend.runtime.retry import Retry

logger = logging.getLogger(__name__)

BACKOFF = Retry(base=0.5, factor=2.0, cap=30.0, jitter=0.2)
HEALTHY_AFTER_S = 60.0
RESTART_PATIENCE_S = 10.0


@dataclass
class Supervised:
    """One loop, and what happened to it."""

    name: str
    loop: Callable[[], Awaitable[None]]
    restarts: int = 0
    last_error: str | None = None
    alive: bool = False
    _restarting: bool = False
    _task: asyncio.Task[None] | None = field(default=None, repr=False)
    _inner: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def supervised(self) -> bool:
        """Whether somebody would start it again."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Run the loop until `stop`."""
        self._task = asyncio.create_task(self._keep_alive(), name=f"supervise {self.name}")

    def restart(self, why: str) -> None:
        """End the loop as if it had died. It is started again."""
        if self._inner is not None and not self._inner.done():
            logger.error("%s is restarted: %s", self.name, why)
            self.last_error, self._restarting = why, True
            self._inner.cancel()
            # docket's loop lets all that runs finish first. It gets a while for that, not for ever.
            asyncio.get_running_loop().call_later(RESTART_PATIENCE_S, self._inner.cancel)

    async def stop(self, patience_s: float = 2.0) -> None:
        """End the loop. One that lingers, as docket's does while it drains, is cancelled a second time."""
        if self._task is None:
            return
        self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=patience_s)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=patience_s)
        self.alive = False

    async def _keep_alive(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._run_once()
            except Exception as error:  # the boundary of a loop: whatever killed it, it is started again
                fault = Fault.of(error)
                self.last_error = f"{fault.type}: {fault.message}"
                logger.error("%s died: %s", self.name, self.last_error, exc_info=error)
            self.alive = False
            self.restarts = 1 if time.monotonic() - began > HEALTHY_AFTER_S else self.restarts + 1
            await asyncio.sleep(BACKOFF.delay(self.restarts).total_seconds())

    async def _run_once(self) -> None:
        self._inner = asyncio.ensure_future(self.loop())
        self.alive, self._restarting = True, False
        try:
            await asyncio.shield(self._inner)
        except asyncio.CancelledError:
            stopping = asyncio.current_task()
            if stopping is not None and stopping.cancelling():
                await self._end_inner()
                raise
            # The inner task was cancelled, not this one.
        if not self._restarting:
            raise RuntimeError(f"{self.name} ended by itself")

    async def _end_inner(self) -> None:
        assert self._inner is not None
        self._inner.cancel()
        try:
            await asyncio.wait([self._inner])
        except asyncio.CancelledError:
            self._inner.cancel()  # it lingers, so it is cancelled a second time
        # What it raises now is the end that was asked for.
        self._inner.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
