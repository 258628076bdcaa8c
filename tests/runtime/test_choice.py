"""Which waiting runs go next: priorities, fair shares, limits and rates."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from backend.db.base import now
from backend.runtime import Retry, enqueue, enqueue_many, scheduler, task
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import get_run
from tests.conftest import set_environment
from tests.runtime.crew import Crew, all_ended, each_database, each_engine, ended, reached


class Gauge:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.starts: list[datetime] = []

    async def visit(self, seconds: float = 0.03) -> None:
        self.starts.append(now())
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(seconds)
        self.inside -= 1

    def most_starts_within(self, seconds: float) -> int:
        window = timedelta(seconds=seconds)
        return max(sum(first <= start < first + window for start in self.starts) for first in self.starts)


@each_engine
async def test_an_urgent_run_overtakes_a_thousand(crew: Crew) -> None:
    order: list[int] = []

    @task(queue="media")
    async def measure(number: int) -> None:
        order.append(number)

    async with crew():
        await pause_queue("media")
        await enqueue_many(measure, [{"number": number} for number in range(1000)])
        urgent = await scheduler(measure).using(priority=100)(-1)
        lazy = await scheduler(measure).using(priority=-5)(-2)
        await resume_queue("media")
        await ended(urgent.id)
        assert len(order) < 30
        assert order.index(-1) < 12
        assert (await get_run(lazy.id)).state == "waiting"


@each_database
async def test_priority_first_and_then_age(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_WORKER_CONCURRENCY="1")
    order: list[str] = []

    @task(queue="media", priority=1)
    async def measure(name: str) -> None:
        order.append(name)

    async with crew():
        await pause_queue("media")
        ids = [
            (await scheduler(measure).using(priority=priority)(name)).id
            for name, priority in [("c1", None), ("a1", 9), ("d1", -1), ("c2", None), ("a2", 9), ("b1", 2), ("d2", -1)]
        ]
        await resume_queue("media")
        await all_ended(ids)
    assert order == ["a1", "a2", "b1", "c1", "c2", "d1", "d2"]


@each_engine
async def test_a_slow_queue_never_starves_another(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def slow() -> None:
        await gate.wait()

    @task(queue="library")
    async def quick() -> None: ...

    async with crew():
        blocked = await enqueue_many(slow, [{} for _ in range(100)])
        await reached(blocked[0], "running")
        for _ in range(5):
            receipt = await enqueue(quick)
            assert (await ended(receipt.id, within=3)).state == "succeeded"
        gate.set()
        assert await all_ended(blocked) == {"succeeded": 100}


@each_engine
async def test_the_limit_of_a_task_is_strict(crew: Crew) -> None:
    gauge = Gauge()

    @task(queue="media", limit=2)
    async def measure() -> None:
        await gauge.visit()

    @task(queue="media")
    async def free() -> None: ...

    async with crew():
        ids = await enqueue_many(measure, [{} for _ in range(15)])
        # What waits behind the limit does not hold up others of its queue.
        assert (await ended((await enqueue(free)).id, within=3)).state == "succeeded"
        assert await all_ended(ids) == {"succeeded": 15}
    assert gauge.most == 2


@each_engine
async def test_the_rate_of_a_task_is_strict(crew: Crew) -> None:
    gauge = Gauge()

    @task(queue="media", rate="3/1s")
    async def measure() -> None:
        await gauge.visit(0)

    async with crew():
        ids = await enqueue_many(measure, [{} for _ in range(8)])
        assert await all_ended(ids) == {"succeeded": 8}
    assert gauge.most_starts_within(1.0) == 3
    assert all(one <= other for one, other in pairwise(gauge.starts))


@each_database
async def test_concurrency_and_rate_of_a_queue(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(
        monkeypatch,
        RUNNER_QUEUE_CONCURRENCY='{"media": 3}',
        RUNNER_QUEUE_RATE='{"library": "4/1s"}',
        RUNNER_POLL_S="0.1",
    )
    media, library = Gauge(), Gauge()

    @task(queue="media")
    async def measure() -> None:
        await media.visit()

    @task(queue="library")
    async def look_up() -> None:
        await library.visit(0)

    async with crew():
        ids = await enqueue_many(measure, [{} for _ in range(15)])
        ids += await enqueue_many(look_up, [{} for _ in range(9)])
        assert await all_ended(ids) == {"succeeded": 24}
    assert media.most == 3
    assert library.most_starts_within(1.0) == 4


@each_engine
async def test_failed_attempts_count_for_the_rate(crew: Crew) -> None:
    gauge = Gauge()

    @task(queue="media", rate="2/1s", retry=Retry(attempts=4, base=0, jitter=0))
    async def measure() -> None:
        await gauge.visit(0)
        raise OSError("again")

    async with crew():
        run = await ended((await enqueue(measure)).id)
    assert (run.state, run.attempt) == ("dead", 4)
    assert gauge.most_starts_within(1.0) == 2


@each_engine
async def test_capacity_is_what_the_process_has(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_WORKER_CONCURRENCY="5")
    gauge = Gauge()

    @task(queue="media")
    async def measure() -> None:
        await gauge.visit()

    @task(queue="library")
    async def look_up() -> None:
        await gauge.visit()

    async with crew():
        ids = await enqueue_many(measure, [{} for _ in range(20)]) + await enqueue_many(
            look_up, [{} for _ in range(20)]
        )
        assert await all_ended(ids) == {"succeeded": 40}
    assert 4 <= gauge.most <= 5
