"""A run without a queue and without a ledger: the terminal calls a task's function as it is."""

from collections.abc import Callable, Mapping
from typing import Any

from backend.db.ids import new_id
from backend.runtime.context import Progress, RunContext, enter_run, leave_run
from backend.runtime.registry import TaskSpec


async def run_directly(
    spec: TaskSpec, args: Mapping[str, Any], on_progress: Callable[[Progress], None] = lambda progress: None
) -> object:
    """Run a task here and now, once, without retry. Cancelling the caller cancels the work.

    Returns what the task returns. Raises InvalidArguments, and whatever the task raises. What follows a success of the
    task does not follow here.
    """
    token = enter_run(RunContext(new_id(), spec.name, 1, lambda progress, _: on_progress(progress)))
    try:
        return await spec.function(**spec.arguments.load(spec.arguments.normalise(args)))
    finally:
        leave_run(token)
