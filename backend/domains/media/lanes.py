"""Pieces of work beside each other: in lanes, none of which stops another, or together, until one of them fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


async def side_by_side(lanes: int, work: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, T | BaseException]:
    """Do all of it, at most `lanes` at a time, in the order given. Gives what each came to: its value or its error.

    Cancelled, it stops all of them and waits for that.
    """
    free = asyncio.Semaphore(lanes)

    async def one(do: Callable[[], Awaitable[T]]) -> T:
        async with free:
            return await do()

    ends = await asyncio.gather(*map(one, work.values()), return_exceptions=True)
    return dict(zip(work, ends, strict=True))


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure stops the others, and is raised by itself: it says what to do."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
