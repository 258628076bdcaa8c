"""Dead letters: listed, searched, grouped, requeued and purged, within bounds."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from backend.db.base import now
from backend.db.models.runs import Attempt
from backend.db.session import database
from backend.errors import InvalidInput, UnknownTask
from backend.runtime import Retry, dead_letters, enqueue, enqueue_many, task
from backend.runtime.registry import registry
from backend.runtime.runs import RunFilter, count_runs, get_run
from tests.conftest import set_environment
from tests.runtime.crew import Crew, all_ended, each_database, each_engine, ended

ONCE = Retry(attempts=1)


class Outside:
    """Something outside that is away, until it is back."""

    back = False


@pytest.fixture
def outside() -> Outside:
    @task(queue="media", retry=ONCE)
    async def measure(version_id: str) -> str:
        if not state.back:
            raise OSError(f"no file '/music/{version_id}'")
        return version_id

    @task(queue="library", retry=ONCE, key="scan:{path}")
    async def scan(path: str) -> None:
        if not state.back:
            raise ValueError(f"bad path {len(path)}")

    state = Outside()
    return state


async def bury(measures: int, scans: int) -> list[str]:
    ids = await enqueue_many("measure", [{"version_id": f"v{number}"} for number in range(measures)])
    ids += [(await enqueue("scan", f"/p{number}")).id for number in range(scans)]
    await all_ended(ids)
    return ids


@each_database
async def test_the_dead_are_listed_searched_and_grouped(crew: Crew, outside: Outside) -> None:
    async with crew():
        ids = await bury(5, 3)
        listed = await dead_letters.list_dead()
        assert [run.id for run in listed] == sorted(ids, reverse=True)
        first = await dead_letters.list_dead(limit=3)
        rest = await dead_letters.list_dead(limit=10, before=first[-1].id)
        assert first + rest == listed

        assert {run.task for run in await dead_letters.list_dead(RunFilter(text="NO FILE"))} == {"measure"}
        assert [run.id for run in await dead_letters.list_dead(RunFilter(text="/music/v3"))] == [ids[3]]
        assert await dead_letters.list_dead(RunFilter(text="%")) == []
        assert len(await dead_letters.list_dead(RunFilter(queue="library"))) == 3
        assert len(await dead_letters.list_dead(RunFilter(key="scan:/p1"))) == 1
        assert await dead_letters.list_dead(RunFilter(created_before=now() - timedelta(hours=1))) == []
        assert len(await dead_letters.list_dead(RunFilter(created_after=now() - timedelta(hours=1)))) == 8

        groups = await dead_letters.group_dead()
        assert [(group.task, group.error_type, group.count) for group in groups] == [
            ("measure", "OSError", 5),
            ("scan", "ValueError", 3),
        ]
        assert groups[0].example == "no file '/music/v0'"
        assert groups[0].newest_at is not None
        assert len(await dead_letters.list_dead(RunFilter(error_group=groups[0].error_group))) == 5


@each_engine
async def test_all_matching_are_requeued_and_run_again(crew: Crew, outside: Outside) -> None:
    async with crew():
        ids = await bury(5, 3)
        outside.back = True
        assert await dead_letters.requeue_dead(RunFilter(task="measure")) == 5
        assert await all_ended(ids) == {"succeeded": 5, "dead": 3}
        assert await dead_letters.requeue_dead(ids=ids[5:6]) == 1
        assert await dead_letters.requeue_dead() == 2
        assert await all_ended(ids) == {"succeeded": 8}
        run = await get_run(ids[0])
    assert (run.attempt, run.error, run.error_type) == (1, None, None)
    assert [attempt.outcome for attempt in run.attempts] == ["failed", "succeeded"]
    assert run.attempts[0].error == "no file '/music/v0'"


@each_database
async def test_only_the_dead_are_touched(crew: Crew, outside: Outside) -> None:
    async with crew():
        dead = await bury(1, 0)
        outside.back = True
        done = (await enqueue("measure", "v9")).id
        await ended(done)
        assert await dead_letters.requeue_dead(ids=[done]) == 0
        assert await dead_letters.purge_dead(ids=[done, *dead]) == 1
        assert await count_runs() == {**dict.fromkeys(await count_runs(), 0), "succeeded": 1}


@each_database
async def test_one_request_moves_only_so_many_oldest_first(
    crew: Crew, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DLQ_REQUEUE_LIMIT="3", DLQ_PURGE_LIMIT="2", DLQ_PAGE_SIZE_DEFAULT="4")
    async with crew():
        ids = await bury(8, 0)
        assert len(await dead_letters.list_dead()) == 4
        assert await dead_letters.purge_dead() == 2
        assert [run.id for run in await dead_letters.list_dead(limit=10)] == sorted(ids[2:], reverse=True)
        outside.back = True
        assert await dead_letters.requeue_dead() == 3
        assert await all_ended(ids[2:]) == {"succeeded": 3, "dead": 3}
        assert [(await get_run(run_id)).state for run_id in ids[2:5]] == ["succeeded"] * 3
        for move in (dead_letters.requeue_dead, dead_letters.purge_dead):
            with pytest.raises(InvalidInput) as caught:
                await move(ids=ids)
            assert caught.value.field == "ids"


@each_database
async def test_purging_takes_the_attempts_along(crew: Crew, outside: Outside) -> None:
    async with crew():
        await bury(2, 0)
        assert await dead_letters.purge_dead(RunFilter(text="v0")) == 1
        async with database().reading() as session:
            attempts = await session.execute(select(func.count()).select_from(Attempt))
        assert attempts.scalar_one() == 1


@each_database
async def test_a_task_that_is_gone_stops_the_whole_request(crew: Crew, outside: Outside) -> None:
    async with crew():
        ids = await bury(1, 1)
        del registry["scan"]
        with pytest.raises(UnknownTask):
            await dead_letters.requeue_dead()
        assert {(await get_run(run_id)).state for run_id in ids} == {"dead"}


@each_database
async def test_one_whose_key_is_taken_stays_dead(crew: Crew, outside: Outside) -> None:
    gate = asyncio.Event()

    async with crew():
        (dead,) = await bury(0, 1)
        del registry["scan"]

        @task(queue="library", key="scan:{path}")
        async def scan(path: str) -> None:
            await gate.wait()

        active = await enqueue(scan, "/p0")
        assert await dead_letters.requeue_dead() == 0
        assert (await get_run(dead)).state == "dead"
        gate.set()
        await ended(active.id)
        assert await dead_letters.requeue_dead() == 1
        assert (await ended(dead)).state == "succeeded"


@each_database
async def test_two_requests_at_once_requeue_each_once(crew: Crew, outside: Outside) -> None:
    async with crew():
        ids = await bury(6, 0)
        outside.back = True
        counts = await asyncio.gather(*(dead_letters.requeue_dead() for _ in range(4)))
        assert sum(counts) == 6
        assert await all_ended(ids) == {"succeeded": 6}
        assert {len((await get_run(run_id)).attempts) for run_id in ids} == {2}
