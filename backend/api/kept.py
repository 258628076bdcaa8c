"""A value that is loaded at most once in a while, however many ask for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What `load` gave within the last `for_s` seconds. Whoever asks while it is loaded waits for that."""

    def __init__(self, load: Callable[[], Awaitable[T]], for_s: float) -> None:
        self._load = load
        self._for_s = for_s
        self._lock = asyncio.Lock()
        self._loaded: tuple[float, T] | None = None

    async def get(self) -> T:
        """The value. Raises what loading it raises."""
        async with self._lock:
            if self._loaded is None or time.monotonic() - self._loaded[0] >= self._for_s:
                self._loaded = (time.monotonic(), await self._load())
            return self._loaded[1]
