"""What pages show, loaded once a process however many look: a feed lives while somebody does, and tells them all."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable

from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BacklineError

logger = logging.getLogger(__name__)

Fragments = dict[str, Markup]
"""Parts of a page by name, as HTML."""
Load = Callable[[], Awaitable[Fragments]]
Listener = Callable[[Fragments, str | None], None]

EVERY_S = 1.0
# A feed that is slow to load is loaded less often: it takes at most this share of the time.
SHARE = 0.1
UNUSED_S = 30.0


class Feed:
    """One thing to look at. While anybody listens it is loaded again every second, and they are told what changed."""

    def __init__(self, load: Load, every: float) -> None:
        self._load = load
        self._every = every
        self._listeners: list[Listener] = []
        self._fragments: Fragments = {}
        self._loaded_at = float("-inf")
        self._took = 0.0
        self._loading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def unused(self) -> bool:
        """Whether nobody has looked for a while."""
        return not self._listeners and time.monotonic() - self._loaded_at > UNUSED_S and not self._loading.locked()

    async def fragments(self) -> Fragments:
        """As it is now, or was a moment ago."""
        asked = time.monotonic()
        async with self._loading:
            if self._loaded_at < asked - self._pause:
                await self._fill()
        return self._fragments

    async def refresh(self) -> None:
        """Load it anew, because somebody has just changed something, and tell everybody."""
        asked = time.monotonic()
        async with self._loading:
            if self._loaded_at < asked:
                await self._fill()
        self._tell(None)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told what changes, until the returned function is called."""
        self._listeners.append(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="desk feed")

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    async def close(self) -> None:
        """Stop loading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def _pause(self) -> float:
        return max(self._every, self._took / SHARE)

    async def _run(self) -> None:
        while self._listeners:
            trouble = None
            try:
                await self.fragments()
            except BacklineError as error:
                trouble = str(error)
            except (SQLAlchemyError, OSError) as error:
                logger.warning("the desk cannot load what it shows: %s", type(error).__name__)
                trouble = "the database does not answer"
            self._tell(trouble)
            await asyncio.sleep(self._pause)

    async def _fill(self) -> None:
        began = time.monotonic()
        self._fragments = await self._load()
        self._loaded_at = time.monotonic()
        self._took = self._loaded_at - began

    def _tell(self, trouble: str | None) -> None:
        for listener in list(self._listeners):
            listener(self._fragments, trouble)


_feeds: dict[Hashable, Feed] = {}


def feed(key: Hashable, load: Load, every: float = EVERY_S) -> Feed:
    """The feed of this key: whoever asks for the same gets the same."""
    for old in [each for each, found in _feeds.items() if each != key and found.unused]:
        del _feeds[old]
    return _feeds.setdefault(key, Feed(load, every))


async def close_feeds() -> None:
    """Stop them all, before the database closes."""
    feeds = list(_feeds.values())
    _feeds.clear()
    for each in feeds:
        await each.close()
