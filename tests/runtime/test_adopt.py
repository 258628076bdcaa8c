"""Runs that come through docket's own door: plain functions, stock clients, and messages that make no sense."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import cloudpickle
import pytest
from docket import Docket

from backend.db.base import now
from backend.db.session import open_database
from backend.errors import InvalidArguments, InvalidInput
from backend.runtime import enqueue, task
from backend.runtime.registry import registry
from backend.runtime.runner import Runner
from backend.runtime.runs import RunFilter, cancel_run, get_run, list_runs, requeue_run
from backend.runtime.views import RunView
from backend.settings import get_settings
from tests.runtime.crew import Crew, dockets, ended, on_redis, until

MESSAGE = {
    "key": "k",
    "when": "2026-11-23T07:00:00+00:00",
    "function": "measure",
    "args": cloudpickle.dumps(()),
    "kwargs": cloudpickle.dumps({}),
    "attempt": "1",
}


@asynccontextmanager
async def stock_docket() -> AsyncIterator[Docket]:
    """docket as it comes, on the same Redis and under the same name."""
    settings = get_settings().docket
    async with Docket(name=settings.docket_name, url=f"{settings.url}?protocol=2") as docket:
        yield docket


async def only(where: RunFilter) -> RunView:
    """The one run that matches, once it has ended."""
    await until(lambda: _found(where))
    (run,) = await list_runs(where)
    return await ended(run.id)


async def _found(where: RunFilter) -> bool:
    return len(await list_runs(where)) == 1


@dockets
async def test_a_plain_function_is_a_run_like_any_other(crew: Crew) -> None:
    async def my_new_task(arg1: str, arg2: int) -> str:
        await asyncio.sleep(0)
        return arg1 * arg2

    async with crew() as runner:
        assert runner.docket is not None
        runner.docket.register(my_new_task)
        execution = await runner.docket.add(my_new_task)("ab", 2)
        run = await ended(execution.key)
        assert (run.task, run.queue, run.state, run.result) == ("my_new_task", "upkeep", "succeeded", "abab")
        assert run.args == {"arg1": "ab", "arg2": 2}
        assert len(run.attempts) == 1
        by_name = await runner.docket.add("my_new_task")(arg1="x", arg2=3)
        assert (await ended(by_name.key)).result == "xxx"
        assert (await ended((await enqueue(my_new_task, "y", 1)).id)).result == "y"


@dockets
async def test_a_plain_function_takes_when_and_key(crew: Crew) -> None:
    async def my_new_task(number: int) -> int:
        return number

    async with crew() as runner:
        docket = runner.docket
        assert docket is not None
        docket.register(my_new_task)
        soon = now() + timedelta(seconds=60)
        later = await docket.add(my_new_task, when=soon, key="k1")(1)
        run = await get_run(later.key)
        assert (run.state, run.key, run.due_at) == ("scheduled", "k1", soon)
        again = await docket.add(my_new_task, key="k1")(2)
        assert again.key == later.key
        await cancel_run(later.key)
        fresh = await docket.add(my_new_task, key="k1")(3)
        assert fresh.key != later.key
        assert (await ended(fresh.key)).result == 3
        # It need not be registered: adding it declares it.
        with pytest.raises(InvalidArguments):
            await docket.add(my_new_task)("many")


@dockets
async def test_a_declared_task_keeps_its_policy_when_it_is_registered(crew: Crew) -> None:
    @task(queue="media", limit=2, key="m:{version_id}")
    async def measure(version_id: str) -> None: ...

    def other() -> object:
        async def measure() -> None: ...

        return measure

    async with crew() as runner:
        assert runner.docket is not None
        runner.docket.register(measure)
        assert (registry["measure"].limit, registry["measure"].queue) == (2, "media")
        with pytest.raises(InvalidInput, match="also declared"):
            runner.docket.register(other())  # type: ignore[arg-type]
        execution = await runner.docket.add(measure)("v1")
        assert (await ended(execution.key)).key == "m:v1"


@on_redis
async def test_a_known_function_of_a_stock_docket_becomes_a_run(crew: Crew) -> None:
    @task(queue="media", key="m:{version_id}")
    async def measure(version_id: str, gain: float = 1.0) -> str:
        return f"{version_id} {gain}"

    async with crew() as runner, stock_docket() as stock:
        stock.register(measure)
        await stock.add(measure, key="theirs")("v1", gain=2)
        run = await only(RunFilter(key="docket:theirs"))
        assert (run.state, run.result, run.queue) == ("succeeded", "v1 2.0", "media")
        await stock.add(measure, key="later", when=datetime.now(UTC) + timedelta(seconds=0.5))("v2")
        assert (await only(RunFilter(key="docket:later"))).result == "v2 1.0"
        assert runner.engine_loop.restarts == 0


@on_redis
async def test_an_unknown_function_of_a_stock_docket_is_a_dead_run(crew: Crew) -> None:
    async def stranger(number: int, note: object) -> None: ...

    @task(queue="media")
    async def stranger_of_ours(number: int) -> int:
        return number

    async with crew() as runner, stock_docket() as stock:
        stock.register(stranger)
        await stock.add(stranger, key="theirs")(1, note={"a": 1})
        run = await only(RunFilter(key="docket:theirs"))
        assert (run.state, run.error_type, run.task) == ("dead", "UnknownTask", "stranger")
        assert run.args == {"args": ["1"], "kwargs": {"note": "{'a': 1}"}}
        assert (await ended((await enqueue(stranger_of_ours, 4)).id)).result == 4
        assert runner.engine_loop.restarts == 0


@on_redis
async def test_wrong_arguments_of_a_stock_docket_are_a_dead_run_that_can_be_mended(crew: Crew) -> None:
    @task(queue="media")
    async def measure(version_id: str) -> str:
        return version_id

    async def measure_of_theirs(*args: object, **kwargs: object) -> None: ...

    measure_of_theirs.__name__ = "measure"
    async with crew(), stock_docket() as stock:
        stock.register(measure_of_theirs)
        await stock.add(measure_of_theirs, key="theirs")(version_id=object(), bitrate=3)
        run = await only(RunFilter(key="docket:theirs"))
        assert (run.state, run.error_type, run.queue) == ("dead", "InvalidArguments", "media")
        await requeue_run(run.id, {"version_id": "v1"})
        assert (await ended(run.id)).result == "v1"


class Gone:
    """A class that the worker's code does not have any more."""


def _of_a_class_that_is_gone() -> bytes:
    return pickle.dumps((Gone(),)).replace(b"Gone", b"Lost")


class Unshowable:
    """Arguments whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


GARBAGE: list[dict[str, object]] = [
    {"nonsense": "1"},
    {**MESSAGE, "args": b"no pickle"},
    {**MESSAGE, "args": _of_a_class_that_is_gone()},
    {**MESSAGE, "args": cloudpickle.dumps("no tuple")},
    {**MESSAGE, "kwargs": cloudpickle.dumps({1: "no name"})},
    {**MESSAGE, "kwargs": cloudpickle.dumps([])},
    {**MESSAGE, "when": "yesterday"},
    {**MESSAGE, "attempt": "first"},
    {**MESSAGE, "generation": "x"},
    {**MESSAGE, "function": b"\xff\xfe"},
    {**MESSAGE, "key": b"\xff"},
    {**MESSAGE, "key": "k\x00"},
    {**MESSAGE, "function": "f\x00"},
    {**MESSAGE, "function": "f" * 5000},
    {**MESSAGE, "key": "k" * 5000},
    {**MESSAGE, "args": cloudpickle.dumps((Unshowable(),))},
    {**MESSAGE, "function": "execute_run"},
    {**MESSAGE, "function": "execute_run", "args": cloudpickle.dumps(({"run_id": "x"},))},
    {**MESSAGE, "function": "execute_canary", "args": cloudpickle.dumps((1, 2, 3))},
]


async def post(runner: Runner, fields: dict[str, object]) -> None:
    assert runner.docket is not None
    async with runner.docket.redis() as redis:
        await redis.xadd(runner.docket.stream_key, fields)


@on_redis
async def test_messages_that_make_no_sense_are_dead_runs_and_the_worker_goes_on(crew: Crew) -> None:
    @task(queue="media")
    async def measure(version_id: str = "v") -> None: ...

    async with crew() as runner:
        for number, fields in enumerate(GARBAGE):
            await post(runner, fields)
            await until(lambda expected=number + 1: _count_is(expected))
        runs = await list_runs(RunFilter(), limit=100)
        assert {run.state for run in runs} <= {"dead", "succeeded"}, [run.task for run in runs]
        assert all(run.error for run in runs if run.state == "dead")
        assert (await ended((await enqueue(measure)).id)).state == "succeeded"
        assert runner.engine_loop.restarts == 0
        assert runner.docket is not None
        async with runner.docket.redis() as redis:
            pending = await redis.xpending(runner.docket.stream_key, runner.docket.worker_group_name)
        assert pending["pending"] <= 1  # a canary, perhaps


async def _count_is(expected: int) -> bool:
    runs = await list_runs(RunFilter(), limit=100)
    return len(runs) == expected and all(run.finished_at for run in runs)


@dockets
async def test_a_task_unknown_to_every_process_is_dead_and_says_so(crew: Crew) -> None:
    @task(queue="media")
    async def renamed(version_id: str) -> None: ...

    @task(queue="media")
    async def known() -> None: ...

    async with open_database(get_settings().database):
        receipt = await enqueue(renamed, "v1")
    del registry["renamed"]
    async with crew():
        run = await ended(receipt.id)
        assert (run.state, run.error_type) == ("dead", "UnknownTask")
        assert "renamed" in (run.error or "")
        assert run.attempts == ()
        assert (await ended((await enqueue(known)).id)).state == "succeeded"
