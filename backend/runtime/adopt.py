"""Runs that come through docket's own door: plain functions, calls by `docket.add`, and messages of strangers."""

import logging
from datetime import UTC, datetime
from reprlib import Repr
from typing import Any

from docket import Execution

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import State
from backend.db.session import unit_of_work
from backend.errors import BacklineError, InvalidArguments, UnknownTask
from backend.runtime.arguments import Arguments
from backend.runtime.enqueue import TEXT_LIMIT, Options, enqueue_call
from backend.runtime.fault import Fault
from backend.runtime.ledger.insert import NewRun, insert_runs
from backend.runtime.registry import TaskFunction, TaskSpec, add, registry
from backend.runtime.storable import storable

logger = logging.getLogger(__name__)

PLAIN_QUEUE = "upkeep"
TASK_LIMIT, SHOWN_LIMIT = 180, 480

# It survives a stranger's __repr__ that fails.
_repr = Repr()
_repr.maxstring = _repr.maxother = SHOWN_LIMIT


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
    return (await enqueue_call(function, args, kwargs, Options(at=when, key=key))).id


async def adopt_message(execution: Execution, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A message on the stream that names a task of ours, or none: it becomes a run, or a dead run that says why."""
    try:
        options = Options(at=execution.when.astimezone(UTC), key=f"docket:{execution.key}"[:TEXT_LIMIT])
        await enqueue_call(execution.function_name, args, kwargs, options)
    except (UnknownTask, InvalidArguments) as error:
        shown = {"args": [_shown(arg) for arg in args], "kwargs": {str(n): _shown(a) for n, a in kwargs.items()}}
        await _bury(execution.function_name, f"docket:{execution.key}", shown, error)


async def bury_unreadable(key: str, function: str, problem: str) -> None:
    """A message that cannot be read: it becomes a dead run, so that somebody sees it."""
    error = InvalidArguments(f"the message cannot be read: {problem}", field="args")
    await _bury(function or "unknown", f"docket:{key}", {}, error)


def _shown(value: object) -> str:
    return storable(_repr.repr(value), SHOWN_LIMIT)


async def _bury(task: str, key: str, args: dict[str, Any], error: BacklineError) -> None:
    fault, moment = Fault.of(error), now()
    spec = registry.get(task)
    run = NewRun(
        new_id(),
        storable(task, TASK_LIMIT),
        spec.queue if spec else PLAIN_QUEUE,
        0,
        args,
        State.DEAD,
        storable(key, SHOWN_LIMIT),
        error_type=fault.type,
        error=fault.message,
        error_group=fault.group,
        finished_at=moment,
    )
    async with unit_of_work() as unit:
        await insert_runs(unit, [run])
    logger.error("message for %r is dead: %s", task, fault.message)
