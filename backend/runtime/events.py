"""What happens to runs, told to who watches: within this process, and through the engine to all others."""

import asyncio
import json
import logging
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backend.errors import Unavailable
from backend.runtime.context import Progress
from backend.runtime.engine.port import Engine
from backend.runtime.ledger.journal import Change

logger = logging.getLogger(__name__)

PENDING_LIMIT = 64


@dataclass(frozen=True)
class Notice:
    """A change of state, or progress. `state` and `revision` are None for progress."""

    run_id: str
    state: str | None = None
    revision: int | None = None
    progress: dict[str, Any] | None = None


class Watch:
    """What one watcher has not read yet. Bounded: of progress only the newest is kept."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque(maxlen=PENDING_LIMIT)
        self._arrived = asyncio.Event()

    def put(self, notice: Notice) -> None:
        """Add one, in place of an unread progress if it is progress too."""
        if notice.state is None and self._notices and self._notices[-1].state is None:
            self._notices.pop()
        self._notices.append(notice)
        self._arrived.set()

    async def get(self, patience_s: float) -> Notice | None:
        """The next one, or None after `patience_s` seconds."""
        if not self._notices:
            self._arrived.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return self._notices.popleft()


class EventHub:
    """Notices from here and from elsewhere, to the watchers here."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._watches: dict[str, list[Watch]] = defaultdict(list)
        self._outbox: list[Notice] = []
        self._engine: Engine | None = None
        self._listener: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None

    def connect(self, engine: Engine) -> None:
        """Tell and hear other processes through this engine, unless it is this process's own."""
        self._engine = None if engine.private else engine

    def changed(self, changes: Sequence[Change]) -> None:
        """Runs have reached new states."""
        for change in changes:
            self._emit(Notice(change.run_id, change.state, change.revision))

    def progressed(self, run_id: str, progress: Progress) -> None:
        """A run got further."""
        self._emit(Notice(run_id, progress=progress.to_json()))

    @contextmanager
    def watching(self, run_id: str) -> Iterator[Watch]:
        """Everything told about this run from now on."""
        watch = Watch()
        self._watches[run_id].append(watch)
        if self._engine is not None and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._listen(self._engine), name="event listener")
        try:
            yield watch
        finally:
            self._watches[run_id].remove(watch)
            if not self._watches[run_id]:
                del self._watches[run_id]
            if not self._watches and self._listener is not None:
                self._listener.cancel()
                self._listener = None

    async def close(self) -> None:
        """Stop telling and hearing."""
        tasks = [task for task in (self._listener, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _emit(self, notice: Notice) -> None:
        self._deliver(notice)
        if self._engine is None:
            return
        self._outbox.append(notice)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(self._engine), name="event sender")

    def _deliver(self, notice: Notice) -> None:
        for watch in self._watches.get(notice.run_id, ()):
            watch.put(notice)

    async def _send(self, engine: Engine) -> None:
        # One message carries all that has come together since the last one.
        while self._outbox:
            batch, self._outbox = self._outbox, []
            try:
                notices = [[n.run_id, n.state, n.revision, n.progress] for n in batch]
                await engine.publish(json.dumps({"from": self._process, "notices": notices}))
            except Unavailable:
                return  # watchers elsewhere read the ledger every few seconds

    async def _listen(self, engine: Engine) -> None:
        while True:
            try:
                async for message in engine.listen():
                    data = json.loads(message)
                    if data["from"] != self._process:
                        for notice in data["notices"]:
                            self._deliver(Notice(*notice))
            except Unavailable:
                logger.debug("the event channel is away")
            await asyncio.sleep(1)
