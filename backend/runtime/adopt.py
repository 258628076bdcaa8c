"""Runs that come through docket's own door: plain functions, calls by `docket.add`, and messages of strangers."""

import logging
from datetime import UTC, datetime
from typing import Any

from docket import Execution

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import State
from backend.db.session import unit_of_work
from backend.errors import BacklineError, InvalidArguments, UnknownTask
from backend.runtime.arguments import Arguments
from backend.runtime.enqueue import Options, enqueue
from backend.runtime.fault import Fault
from backend.runtime.ledger.insert import NewRun, insert_runs
from backend.runtime.registry import TaskFunction, TaskSpec, add, registry

logger = logging.getLogger(__name__)

PLAIN_QUEUE = "upkeep"


def declare_plain(function: TaskFunction) -> None:
    """`docket.register(fn)`: a plain async function becomes a task with the default policy, unless it is declared."""
    known = registry.get(function.__name__)
    if known is None or known.function is not function:
        add(TaskSpec(function.__name__, function, Arguments(function), PLAIN_QUEUE))


async def adopt_call(
    function: TaskFunction | str, args: tuple[Any, ...], kwargs: dict[str, Any], when: datetime | None, key: str | None
) -> str:
    """`docket.add(fn, when, key)(...)`: the same run that a `schedule_*` helper would enqueue. Returns its id."""
    if not isinstance(function, str):
        declare_plain(function)
    receipt = await enqueue(function, *args, options=Options(at=when, key=key), **kwargs)
    return receipt.id


async def adopt_message(execution: Execution, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A message on the stream that names a task of ours, or none: it becomes a run, or a dead run that says why."""
    try:
        when = execution.when.astimezone(UTC)
        await enqueue(execution.function_name, *args, options=Options(at=when, key=f"docket:{execution.key}"), **kwargs)
    except (UnknownTask, InvalidArguments) as error:
        shown = {
            "args": [repr(arg)[:500] for arg in args],
            "kwargs": {name: repr(arg)[:500] for name, arg in kwargs.items()},
        }
        await _bury(execution.function_name, f"docket:{execution.key}", shown, error)


async def bury_unreadable(key: str, function: str, problem: str) -> None:
    """A message that cannot be read: it becomes a dead run, so that somebody sees it."""
    error = InvalidArguments(f"the message cannot be read: {problem}", field="args")
    await _bury(function or "unknown", f"docket:{key}", {}, error)


async def _bury(task: str, key: str, args: dict[str, Any], error: BacklineError) -> None:
    fault, moment = Fault.of(error), now()
    spec = registry.get(task)
    run = NewRun(
        new_id(),
        task[:200],
        spec.queue if spec else PLAIN_QUEUE,
        0,
        args,
        State.DEAD,
        key[:500],
        error_type=fault.type,
        error=fault.message,
        error_group=fault.group,
        finished_at=moment,
    )
    async with unit_of_work() as unit:
        await insert_runs(unit, [run])
    logger.error("message for %r is dead: %s", task, fault.message)
