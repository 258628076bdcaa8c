"""Tasks that several processes declare, for tests with more than one."""

import asyncio

from backend.runtime import Retry, current_run, task


async def limited() -> None:
    """At most three at once. A repeat does nothing new."""
    await asyncio.sleep(0.05)


async def rated() -> None:
    """At most four starts a second. A repeat does nothing new."""


async def tick() -> None:
    """Every second. A repeat does nothing new."""


async def hold(seconds: float = 60) -> str:
    """Stays until it is stopped. A repeat stays again."""
    await current_run().progress(1, 4, "holding")
    await asyncio.sleep(seconds)
    return "held"


async def newcomer() -> str:
    """Only the newer code knows it. A repeat does nothing new."""
    return "new"


def declare(*more: str) -> None:
    """Declare the tasks of every process, and those of `tick` and `newcomer` that are named."""
    task(queue="media", limit=3)(limited)
    task(queue="media", rate="4/1s")(rated)
    task(queue="library", retry=Retry(attempts=2, base=0.01))(hold)
    if "tick" in more:
        task(queue="analytics", every=1, overlap="allow")(tick)
    if "newcomer" in more:
        task(queue="media")(newcomer)
