"""The door with the docket and the worker, used as the guide for new tasks says."""

import asyncio
from collections.abc import Iterator

import pytest

from backend._internal.background import background, get_docket, is_docket_enabled
from backend._internal.background_tasks import schedule_prune_runs
from backend.errors import Misconfigured, Unavailable
from backend.runtime import registry
from backend.runtime.runs import RunFilter, list_runs
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.runtime.crew import each_engine, ended, on


@pytest.fixture(autouse=True)
def only_what_is_declared() -> Iterator[None]:
    """A plain function of a test is gone after it."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


async def my_new_task(arg1: str, arg2: int) -> str:
    """As a newcomer writes it. A repeat gives the same."""
    return arg1 * arg2


async def schedule_my_task(arg1: str, arg2: int) -> None:
    """The helper as the guide shows it."""
    if is_docket_enabled():
        await get_docket().add(my_new_task)(arg1, arg2)
        return
    asyncio.create_task(my_new_task(arg1, arg2))  # noqa: RUF006


@on(("memory", "sqlite"), ("redis", "postgresql"))
async def test_the_three_steps_for_a_new_task(engine_mode: str, database_url: str) -> None:
    async with background(get_settings()):
        assert is_docket_enabled()
        get_docket().register(my_new_task)
        await schedule_my_task("ab", 2)
        (run,) = await list_runs(RunFilter(task="my_new_task"))
        run = await ended(run.id)
    assert (run.state, run.result, run.queue, len(run.attempts)) == ("succeeded", "abab", "upkeep", 1)
    assert run.args == {"arg1": "ab", "arg2": 2}


@each_engine
async def test_a_helper_works_whatever_the_engine_is(engine_mode: str, database_url: str) -> None:
    async with background(get_settings()) as runner:
        run = await ended((await schedule_prune_runs()).id)
        assert is_docket_enabled() == (engine_mode != "inline")
        assert runner.card.kind == "api"
    assert (run.state, run.result) == ("succeeded", {"deleted": 0})
    assert not is_docket_enabled()


@on(("inline", "sqlite"))
async def test_without_docket_there_is_none_to_get(engine_mode: str, database_url: str) -> None:
    async with background(get_settings(), "worker"):
        assert not is_docket_enabled()
        with pytest.raises(Unavailable) as caught:
            get_docket()
        assert caught.value.field == "DOCKET_URL"


async def test_a_fresh_directory_is_all_it_needs() -> None:
    async with background(get_settings()):
        assert (await ended((await schedule_prune_runs()).id)).state == "succeeded"


async def test_a_database_behind_the_code_is_said(empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DATABASE_URL=empty_postgres_url)
    with pytest.raises(Misconfigured, match="migrate"):
        async with background(get_settings()):
            pass
