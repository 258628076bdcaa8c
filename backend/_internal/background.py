"""Docket and worker: their lifecycle in this process, and what is registered with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docket import Docket

from backend._internal import background_tasks
from backend.db.migrate import prepare
from backend.db.session import open_database
from backend.errors import Unavailable
from backend.runtime.registry import registry
from backend.runtime.runner import Runner, current_runner, open_runner
from backend.settings import Settings


def _register_tasks(docket: Docket) -> None:
    """Every declared task. A function that carries no @task can be added here with `docket.register(fn)`."""
    for spec in registry.values():
        docket.register(spec.function)


@asynccontextmanager
async def background(settings: Settings, kind: str = "api") -> AsyncIterator[Runner]:
    """The database, the docket and the worker of this process, until the block ends. `kind` is `api` or `worker`."""
    background_tasks.find_rooms()
    async with open_database(settings.database) as database:
        await prepare(database)
        async with open_runner(settings, kind) as runner:
            if runner.docket is not None:
                _register_tasks(runner.docket)
            yield runner


def is_docket_enabled() -> bool:
    """Whether runs go through docket. If not, they are asyncio tasks of this process."""
    runner = current_runner()
    return runner is not None and runner.docket is not None


def get_docket() -> Docket:
    """The process's docket. What is added to it is a run like any other. Raises Unavailable when docket is off."""
    runner = current_runner()
    if runner is None or runner.docket is None:
        raise Unavailable("docket is off: set DOCKET_URL, and open the background first", field="DOCKET_URL")
    return runner.docket
