"""Many runs at once, and what is written down of it; on both databases."""

import pytest

from backend.errors import Conflict, NotFound
from backend.runtime import queues, task
from backend.runtime.audit import acting, list_audit
from backend.runtime.bulk import Bulk, cancel_matching, count_matching, purge_matching, requeue_matching, search_bound
from backend.runtime.runs import ACTIVE, TERMINAL, RunFilter, cancel_run, count_runs, get_run, requeue_run
from tests.runtime.ledger_rows import add_attempt, add_run

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def tasks() -> None:
    @task(queue="media", key="measure:{path}")
    async def measure(path: str = "a") -> None:
        """A repeat measures again."""


async def test_what_matches_is_requeued_and_nothing_else() -> None:
    for number in range(230):
        await add_run(state="dead", args={"path": f"p{number}"}, error="no such file", error_group="g1")
    await add_run(state="dead", args={}, error_group="g2")
    await add_run(state="dead", task="forgotten", error_group="g1")
    where = RunFilter(error_group="g1")
    assert await count_matching(where, TERMINAL) == 231
    assert await requeue_matching(where) == Bulk(230, 1)  # nobody declares the task of one
    counts = await count_runs()
    assert (counts["waiting"], counts["dead"]) == (230, 2)


async def test_a_key_that_is_taken_stays_ended() -> None:
    for _ in range(3):
        await add_run(state="cancelled", key="measure:a", args={"path": "a"})
    assert await requeue_matching(RunFilter()) == Bulk(1, 2)


async def test_only_active_runs_are_cancelled_and_only_ended_ones_purged() -> None:
    ids = {state: await add_run(state=state) for state in ("waiting", "scheduled", "queued", "succeeded", "dead")}
    await add_attempt(ids["dead"])
    assert await count_matching(RunFilter(), ACTIVE) == 3
    assert await count_matching(RunFilter(state=["dead"]), ACTIVE) == 0
    assert await cancel_matching(RunFilter(state=["dead"])) == Bulk(0, 0)
    assert await cancel_matching(RunFilter()) == Bulk(3, 0)
    assert await purge_matching(RunFilter(ids=[ids["dead"], ids["succeeded"]])) == Bulk(2, 0)
    counts = await count_runs()
    assert counts["cancelled"] == sum(counts.values()) == 3


async def test_the_bound_of_a_search_leaves_the_newest() -> None:
    ids = [await add_run() for _ in range(5)]
    assert await search_bound(5) is None
    assert await search_bound(2) == ids[2]
    assert await count_matching(RunFilter(after=ids[2]), ACTIVE) == 2


async def test_what_an_operator_does_is_written_down() -> None:
    run_id = await add_run(state="dead", args={"path": "hush-hush"}, key="measure:hush-hush")
    with acting("did:plc:op", "desk"):
        await requeue_run(run_id, {"path": "other-secret"})
        await cancel_run(run_id)
        await queues.pause_queue("media")
        await queues.resume_task("measure")
        await purge_matching(RunFilter(text="hush", args={"path": "other-secret"}))
    entries = await list_audit()
    assert [(each.action, each.target) for each in entries[:4]] == [
        ("task.resume", "measure"),
        ("queue.pause", "media"),
        ("run.cancel", run_id),
        ("run.requeue", run_id),
    ]
    assert {(each.who, each.via) for each in entries} == {("did:plc:op", "desk")}
    assert entries[3].details == {"task": "measure", "edited": ["path"]}
    # Names of arguments are told, and not what they were.
    assert "secret" not in str(entries)
    assert [each.action for each in await list_audit(before=entries[2].id)] == ["run.requeue"]
    assert [each.action for each in await list_audit(text="PAUSE")] == ["queue.pause"]


async def test_what_is_refused_or_done_by_a_program_is_not() -> None:
    run_id = await add_run(state="succeeded")
    with acting("did:plc:op", "desk"):
        with pytest.raises(Conflict):
            await cancel_run(run_id)
        with pytest.raises(NotFound):
            await queues.pause_queue("nowhere")
    await cancel_run(await add_run())
    assert await list_audit() == []
    assert (await get_run(run_id)).state == "succeeded"
