"""The ledger at large: work by minute, processes, queues that nobody consumes; on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backend.db.base import now
from backend.db.models.runs import Process
from backend.db.session import Database, unit_of_work
from backend.runtime import task
from backend.runtime.board import by_minute, list_processes, running_now, without_consumer
from backend.runtime.chain import chain_of
from backend.runtime.log_lines import recent_lines
from backend.runtime.queues import list_queues
from backend.runtime.runs import RunFilter, get_run, list_runs
from tests.runtime.ledger_rows import add_attempt, add_run

pytestmark = pytest.mark.usefixtures("database")


async def test_what_ended_is_counted_in_its_minute() -> None:
    this = now().replace(second=0, microsecond=0)
    for ago, state in ((0, "succeeded"), (5, "succeeded"), (5, "succeeded"), (5, "dead"), (61, "succeeded")):
        run_id = await add_run(state=state, finished_at=this - timedelta(minutes=ago))
        outcome = "failed" if state == "dead" else "succeeded"
        await add_attempt(run_id, this - timedelta(minutes=ago), outcome=outcome)
    minutes = await by_minute(60)
    assert [each.at for each in minutes] == [this - timedelta(minutes=59 - at) for at in range(60)]
    assert {
        (59 - at): (each.succeeded, each.failed) for at, each in enumerate(minutes) if each.succeeded or each.failed
    } == {
        0: (1, 0),
        5: (2, 1),
    }


async def test_an_attempt_that_took_hours_counts_when_it_failed() -> None:
    run_id, began = await add_run(), now() - timedelta(hours=5)
    await add_attempt(run_id, began, ended_at=now(), outcome="timed_out")
    assert sum(each.failed for each in await by_minute(2)) == 1


async def test_what_runs_is_listed_from_the_oldest() -> None:
    ids = [await add_run(state=state) for state in ("running", "waiting", "running")]
    assert [run.id for run in await running_now()] == [ids[0], ids[2]]
    assert len(await running_now(limit=1)) == 1


async def process(name: str, **values: object) -> None:
    given = {
        "kind": "worker",
        "engine": "docket",
        "host": "h",
        "pid": 1,
        "version": "1",
        "capacity": 4,
        "tasks": ["measure"],
    }
    async with unit_of_work() as unit:
        unit.session.add(Process(name=name, **(given | values)))


async def test_a_queue_with_work_and_no_consumer_is_named() -> None:
    @task(queue="media")
    async def measure() -> None:
        """A repeat measures again."""

    async def lonely() -> list[str]:
        return without_consumer(await list_queues(), await list_processes())

    assert await lonely() == []  # nothing waits
    await add_run()
    assert await lonely() == ["media"]
    await process("quiet", capacity=0)
    await process("other", tasks=["something_else"])
    await process("gone", seen_at=now() - timedelta(minutes=10))
    assert await lonely() == ["media"]
    assert {each.name: each.silent for each in await list_processes()} == {"gone": True, "other": False, "quiet": False}
    await process("takes")
    assert await lonely() == []
    paused = [replace(each, paused=True) for each in await list_queues()]
    assert without_consumer(paused, []) == []


async def test_runs_are_found_by_their_arguments(database: Database) -> None:
    wanted = await add_run(args={"release": "r1", "options": {"deep": True}, "count": 3})
    await add_run(args={"release": "r10", "options": {"deep": False}, "count": 30})
    for args in ({"release": "r1"}, {"options.deep": "true"}, {"count": "3"}, {"release": "r1", "count": "3"}):
        assert [run.id for run in await list_runs(RunFilter(args=args))] == [wanted], args
    assert await list_runs(RunFilter(args={"release": "r1", "count": "30"})) == []
    assert await list_runs(RunFilter(args={"missing": "r1"})) == []


async def test_runs_are_found_by_trace_and_by_request() -> None:
    wanted = await add_run(trace=f"00-{'ab' * 16}-{'cd' * 8}-01", requested_by="POST /tracks r-1")
    await add_run(trace=f"00-{'ef' * 16}-{'cd' * 8}-01", requested_by="POST /tracks r-11")
    for where in (RunFilter(trace="ab" * 16), RunFilter(request="r-1")):
        assert [run.id for run in await list_runs(where)] == [wanted]


async def test_a_chain_leads_from_the_first_cause_to_what_followed() -> None:
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    first = await add_run(task="ingest", trace=trace)
    second = await add_run(task="transcode", cause=first, trace=trace)
    third = await add_run(task="draw", cause=second, trace=trace)
    beside = await add_run(task="greet", trace=f"00-{'ab' * 16}-{'ef' * 8}-01")
    await add_run(task="stranger", trace=f"00-{'12' * 16}-{'cd' * 8}-01")
    chain = await chain_of(await get_run(second))
    assert [run.id for run in chain.causes] == [first]
    assert [run.id for run in chain.followed] == [third]
    assert [run.id for run in chain.same_trace] == [beside]
    assert [run.id for run in (await chain_of(await get_run(third))).causes] == [first, second]


async def test_log_lines_are_filtered() -> None:
    async def logged(task_name: str, at: str, level: str, message: str) -> str:
        run_id = await add_run(task=task_name)
        await add_attempt(run_id, logs=[{"at": at, "level": level, "logger": "x", "message": message}])
        return run_id

    early = await logged("probe", "2026-11-01T10:00:00+00:00", "INFO", "looking at it")
    late = await logged("draw", "2026-11-01T11:00:00+00:00", "ERROR", "no Pencil")
    assert [(line.run_id, line.task, line.message) for line in await recent_lines()] == [
        (late, "draw", "no Pencil"),
        (early, "probe", "looking at it"),
    ]
    assert [line.run_id for line in await recent_lines(level="WARNING")] == [late]
    assert [line.run_id for line in await recent_lines(task="probe")] == [early]
    assert [line.run_id for line in await recent_lines(text="pencil")] == [late]
    assert await recent_lines(level="ERROR", task="probe") == []
