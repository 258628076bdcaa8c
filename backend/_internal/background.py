"""Docket and worker: their lifecycle in this process, and what is registered with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docket import Docket

from backend._internal import background_tasks
from backend.runtime.lifecycle import open_background
from backend.runtime.registry import registry
from backend.runtime.runner import Runner, current_runner, require_docket
from backend.settings import Settings


def _register_tasks(docket: Docket) -> None:
    """Every declared task. A function that carries no @task can be added here with `docket.register(fn)`."""
    for spec in registry.values():
        docket.register(spec.function)


@asynccontextmanager
async def background(settings: Settings, kind: str = "api") -> AsyncIterator[Runner]:
    """The database, the docket and the worker of this process, until the block ends. `kind` is `api` or `worker`."""
    background_tasks.find_rooms()
    async with open_background(settings, kind) as runner:
        if runner.docket is not None:
            _register_tasks(runner.docket)
        yield runner


def is_docket_enabled() -> bool:
    """Whether runs go through docket. If not, they are asyncio tasks of this process."""
    runner = current_runner()
    return runner is not None and runner.docket is not None


def get_docket() -> Docket:
    """The process's docket. What is added to it is a run like any other. Raises Unavailable when docket is off."""
    return require_docket()
