"""Work in a task of its own, so that what it does to its task is not done to ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


async def apart(work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
    """Call `work` in a task of its own, which is cancelled with ours. Raises what it raises.

    Before Python 3.13 a task group that fails leaves its task marked as being cancelled. On the runner's own task that
    mark would pass for a stop from outside: the run would start again for ever, and nobody would see its error.
    """

    async def contained() -> tuple[T | None, SystemExit | None]:
        try:
            return await work(*arguments, **named), None
        except SystemExit as error:  # out of a task it would end the whole process
            return None, error

    result, exit = await asyncio.create_task(contained())
    if exit is not None:
        raise exit
    return cast("T", result)
