"""Queues: what they hold, pause and resume."""

import asyncio

import pytest

from backend.errors import NotFound, UnknownTask
from backend.runtime import enqueue, enqueue_many, scheduler, task
from backend.runtime.queues import QueueView, list_queues, pause_queue, pause_task, resume_queue, resume_task
from backend.runtime.registry import QUEUES
from backend.runtime.runs import get_run
from tests.conftest import set_environment
from tests.runtime.crew import Crew, all_ended, each_database, each_engine, ended, open_crew, reached


async def queue(name: str) -> QueueView:
    return {view.name: view for view in await list_queues()}[name]


@each_database
async def test_every_queue_is_shown_with_what_it_holds(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_QUEUE_CONCURRENCY='{"media": 2}', RUNNER_QUEUE_RATE='{"library": "9/m"}')
    gate = asyncio.Event()

    @task(queue="media")
    async def measure(fail: bool) -> None:
        await gate.wait()
        if fail:
            raise NotFound("gone")

    async with crew():
        ids = await enqueue_many(measure, [{"fail": number == 0} for number in range(5)])
        await scheduler(measure).using(after=60)(False)
        await reached(ids[0], "running")
        await reached(ids[1], "running")
        assert [view.name for view in await list_queues()] == list(QUEUES)
        media = await queue("media")
        assert (media.running, media.waiting, media.scheduled, media.dead) == (2, 3, 1, 0)
        assert (media.concurrency, media.rate, media.paused, media.paused_tasks) == (2, None, False, ())
        assert media.oldest_waiting_s is not None
        assert media.oldest_waiting_s < 30
        assert (await queue("library")).rate == "9/m"
        gate.set()
        await all_ended(ids)
        media = await queue("media")
        assert (media.running, media.waiting, media.dead, media.oldest_waiting_s) == (0, 0, 1, None)


@each_engine
async def test_a_paused_queue_starts_nothing_and_what_runs_goes_on(crew: Crew) -> None:
    gate = asyncio.Event()

    @task(queue="media")
    async def measure(name: str) -> str:
        await gate.wait()
        return name

    @task(queue="library")
    async def scan() -> None: ...

    async with crew():
        running = await enqueue(measure, "running")
        await reached(running.id, "running")
        await pause_queue("media")
        later = await enqueue(measure, "later")
        assert later.state == "waiting"
        gate.set()
        assert (await ended(running.id)).state == "succeeded"
        await ended((await enqueue(scan)).id)
        assert (await get_run(later.id)).state == "waiting"
        assert (await queue("media")).paused
        await resume_queue("media")
        assert not (await queue("media")).paused
        assert (await ended(later.id)).state == "succeeded"


@each_engine
async def test_a_paused_task_does_not_hold_up_its_queue(crew: Crew) -> None:
    @task(queue="media", priority=9)
    async def measure() -> None: ...

    @task(queue="media")
    async def render() -> None: ...

    async with crew():
        await pause_task("measure")
        held = await enqueue_many(measure, [{} for _ in range(30)])
        assert (await ended((await enqueue(render)).id)).state == "succeeded"
        assert (await queue("media")).paused_tasks == ("measure",)
        assert (await queue("media")).waiting == 30
        await resume_task("measure")
        assert await all_ended(held) == {"succeeded": 30}


@each_database
async def test_a_pause_survives_a_restart(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew():
        await pause_queue("media")
        await pause_queue("media")
        receipt = await enqueue(measure)
    async with open_crew():
        await asyncio.sleep(0.3)
        assert (await enqueue(measure)).state == "waiting"
        assert (await get_run(receipt.id)).state == "waiting"
        await resume_queue("media")
        assert (await ended(receipt.id)).state == "succeeded"


@each_database
async def test_what_does_not_exist_cannot_be_paused(crew: Crew) -> None:
    async with crew():
        for change in (pause_queue, resume_queue):
            with pytest.raises(NotFound) as caught:
                await change("medai")
            assert caught.value.field == "queue"
        for change in (pause_task, resume_task):
            with pytest.raises(UnknownTask):
                await change("nobody")
        assert not any(view.paused for view in await list_queues())
