"""Runs that come through docket's own door: plain functions, calls by `docket.add`, and messages of strangers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from reprlib import Repr
from typing import Any

from docket import Execution
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, OperationalError

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Run, State
from backend.db.session import database, unit_of_work
from backend.errors import BacklineError, InvalidArguments, Unavailable, UnknownTask
from backend.runtime.arguments import Arguments
from backend.runtime.enqueue import TEXT_LIMIT, Options, enqueue_call
from backend.runtime.fault import Fault
from backend.runtime.ledger.insert import NewRun, insert_runs
from backend.runtime.registry import TaskFunction, TaskSpec, add, registry
from backend.runtime.storable import storable

logger = logging.getLogger(__name__)

PLAIN_QUEUE = "upkeep"
TASK_LIMIT, SHOWN_LIMIT = 180, 480
LEDGER_PAUSE_S = 1.0
CLOCKS_DIFFER = timedelta(seconds=2)

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
    await _once_the_ledger_is_there(lambda: _adopt(execution, args, kwargs))


async def bury_unreadable(key: str, function: str, problem: str) -> None:
    """A message that cannot be read: it becomes a dead run, so that somebody sees it."""
    error = InvalidArguments(f"the message cannot be read: {problem}", field="args")
    await _once_the_ledger_is_there(lambda: _bury(function or "unknown", f"docket:{key}", {}, error))


async def _once_the_ledger_is_there(write: Callable[[], Awaitable[None]]) -> None:
    # A message stands nowhere else, and is gone once this returns or raises. Until then its lease is renewed.
    while True:
        try:
            return await write()
        except (DBAPIError, OSError, Unavailable) as error:
            if isinstance(error, DBAPIError) and not (
                error.connection_invalidated or isinstance(error, OperationalError)
            ):
                raise
            logger.error("a message waits for the ledger: %s", type(error).__name__)
            await asyncio.sleep(LEDGER_PAUSE_S)


async def _adopt(execution: Execution, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    key = f"docket:{execution.key}"[:TEXT_LIMIT]
    if execution.redelivered and await _is_adopted(key, execution.when):
        return  # its first worker died after the commit
    try:
        options = Options(at=execution.when.astimezone(UTC), key=key)
        await enqueue_call(execution.function_name, args, kwargs, options)
    except (UnknownTask, InvalidArguments) as error:
        shown = {"args": [_shown(arg) for arg in args], "kwargs": {str(n): _shown(a) for n, a in kwargs.items()}}
        await _bury(execution.function_name, key, shown, error)


async def _is_adopted(key: str, since: datetime) -> bool:
    # A message becomes a run after its time, so one that is older is of an earlier message with this key.
    found = select(Run.id).where(Run.key == key, Run.created_at >= since.astimezone(UTC) - CLOCKS_DIFFER).limit(1)
    async with database().reading() as session:
        return (await session.scalar(found)) is not None


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
