"""What the runner's tests share: a crew to open, marks that say where a test runs, and ways to wait for the ledger."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isawaitable

import pytest

from backend.db.models.runs import TERMINAL
from backend.db.session import open_database
from backend.runtime.runner import Runner, open_runner
from backend.runtime.runs import RunFilter, count_runs, get_run
from backend.runtime.views import RunView
from backend.settings import get_settings

WITHIN_S = 15.0


def on(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    """Run the test on these engines, each with its database."""
    return pytest.mark.parametrize(
        ("engine_mode", "database_url"), pairs, indirect=True, ids=[f"{mode}-{database}" for mode, database in pairs]
    )


# Without a mark a test that uses `crew` runs on all six.
each_engine = on(("inline", "sqlite"), ("memory", "sqlite"), ("redis", "postgresql"))
each_database = on(("inline", "sqlite"), ("inline", "postgresql"))
dockets = on(("memory", "sqlite"), ("redis", "postgresql"))
on_redis = on(("redis", "sqlite"), ("redis", "postgresql"))
on_memory = on(("memory", "sqlite"))
on_inline = on(("inline", "sqlite"))
in_production = on(("redis", "postgresql"))

Crew = Callable[..., AbstractAsyncContextManager[Runner]]


@asynccontextmanager
async def open_crew(kind: str = "worker") -> AsyncIterator[Runner]:
    """The database and the runner of the settings. Tasks must be declared before."""
    settings = get_settings()
    async with open_database(settings.database), open_runner(settings, kind) as runner:
        yield runner


async def until(condition: Callable[[], object | Awaitable[object]], within: float = WITHIN_S) -> None:
    """Wait until `condition()` holds. Raises TimeoutError when it does not in time."""
    async with asyncio.timeout(within):
        while True:
            held = condition()
            if isawaitable(held):
                held = await held
            if held:
                return
            await asyncio.sleep(0.01)


async def reached(run_id: str, *states: str, within: float = WITHIN_S) -> RunView:
    """Wait until the run is in one of these states. Raises TimeoutError, saying where it is."""
    try:
        async with asyncio.timeout(within):
            while True:
                run = await get_run(run_id)
                if run.state in states:
                    return run
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"not in {states} within {within:g} s: {await get_run(run_id)}") from None


async def ended(run_id: str, within: float = WITHIN_S) -> RunView:
    """Wait for the run's end."""
    return await reached(run_id, *TERMINAL, within=within)


async def all_ended(ids: Sequence[str], within: float = WITHIN_S) -> dict[str, int]:
    """Wait for the end of all these runs. Returns how many are in each state that occurs."""
    async with asyncio.timeout(within):
        while True:
            counts = {state: count for state, count in (await count_runs(RunFilter(ids=ids))).items() if count}
            if set(counts) <= set(TERMINAL):
                return counts
            await asyncio.sleep(0.02)
