"""Pieces of work beside each other, in a few lanes, none of which stops another."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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
