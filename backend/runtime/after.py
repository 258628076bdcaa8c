"""What follows what: functions that are called when a run of a task has succeeded."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from inspect import signature
from typing import Any, TypeVar

from backend.runtime.apart import apart
from backend.runtime.registry import TaskFunction, spec_of

F = TypeVar("F", bound=Callable[..., Awaitable[None]])

_followers: dict[str, list[Callable[..., Awaitable[None]]]] = defaultdict(list)


def after(task: TaskFunction) -> Callable[[F], F]:
    """Call the decorated function when a run of `task` succeeded, before the success is recorded.

    It gets those of the run's arguments that it names, and `result` if it names that. If it fails the run counts as
    failed and is tried again, so nothing that should follow is lost; it must be safe to repeat (enqueue with keys).
    Raises UnknownTask when `task` is not declared.
    """
    name = spec_of(task).name

    def note(function: F) -> F:
        if function not in _followers[name]:
            _followers[name].append(function)
        return function

    return note


async def follow(task: str, args: dict[str, Any], result: object) -> None:
    """Call everything that follows a success of `task`."""
    for function in _followers.get(task, ()):
        offered = {**args, "result": result}
        await apart(function, **{name: offered[name] for name in signature(function).parameters if name in offered})
