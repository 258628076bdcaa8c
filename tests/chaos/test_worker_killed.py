"""SIGKILL of a worker under 200 runs, at default settings: none lost, none ended twice, all going again soon."""

import time

import pytest
from docket import Docket

from backend.runtime import Options, enqueue, enqueue_many
from tests.chaos import tasks
from tests.chaos.conftest import OpenStage
from tests.chaos.effects import Effect
from tests.chaos.stage import Stage, sized

RUNS = sized(200, 1000)
AGAIN_WITHIN_S = 15.0


@pytest.mark.parametrize(("dialect", "successor"), [("postgres", "lives"), ("sqlite", "comes")])
async def test_a_killed_worker_loses_nothing(
    dialect: str, successor: str, open_stage: OpenStage, redis_url: str, request: pytest.FixtureRequest
) -> None:
    async with open_stage(str(request.getfixturevalue(f"{dialect}_url")), redis_url) as stage:
        victim = stage.hire()
        if successor == "lives":
            stage.hire()
        # Of different length, so that some are always under way.
        ids = await enqueue_many("labour", [{"number": n, "seconds": 0.3 + n % 7 / 10} for n in range(RUNS)])
        pid = victim.pid
        await stage.until(lambda: _busy(stage, pid), 30, "some runs are done, and the victim has its hands full")

        killed_at = time.time()
        victim.kill()
        if successor == "comes":
            stage.hire()
        orphans = _in_flight(stage, pid)
        await stage.until(lambda: _all_again(stage, orphans, killed_at), AGAIN_WITHIN_S, "all orphans run again")

        records = await stage.settle(ids)
        again = [min(e.at for e in began if e.at > killed_at) for run, began in _began(stage).items() if run in orphans]
        stage.note("orphans", len(orphans))
        stage.note("first running again after s", min(again) - killed_at)
        stage.note("all running again after s", max(again) - killed_at)
        assert {record.run.state for record in records} == {"succeeded"}
        lost = {record.run.id for record in records if record.run.crashes}
        # What was just being handed to the victim counts as lost too: nobody can know that it did not begin.
        assert orphans <= lost
        assert len(lost) <= 14, "no more than the victim could hold"
        assert set(stage.effects.repeated()) <= lost


async def test_a_message_of_a_killed_worker_is_adopted_once(
    open_stage: OpenStage, sqlite_url: str, redis_url: str
) -> None:
    """A worker made a run of a stranger's message, and was killed before it could acknowledge the message."""
    async with (
        open_stage(sqlite_url, redis_url) as stage,
        Docket(stage.docket_name, f"{redis_url}?protocol=2") as docket,
    ):
        await docket.add(tasks.labour, key="of-a-stranger")(1)
        async with docket.redis() as client:
            group = docket.worker_group_name
            await client.xgroup_create(docket.stream_key, group, id="0")
            assert await client.xreadgroup(group, "killed", {docket.stream_key: ">"})
        adopted = await enqueue("labour", 1, options=Options(key="docket:of-a-stranger"))

        stage.hire(RUNNER_REDELIVERY_S="2")
        records = await stage.settle([adopted.id])
        assert [record.run.id for record in records] == [adopted.id]


def _began(stage: Stage) -> dict[str, list[Effect]]:
    return stage.effects.by_run("began")


def _busy(stage: Stage, pid: int) -> bool:
    return stage.effects.count("done") >= 20 and len(_in_flight(stage, pid)) >= 6


def _in_flight(stage: Stage, pid: int) -> set[str]:
    """Runs that began in this process and did not do their work."""
    done = stage.effects.by_run("done")
    return {effect.run_id for effect in stage.effects.read("began") if effect.pid == pid and effect.run_id not in done}


def _all_again(stage: Stage, orphans: set[str], since: float) -> bool:
    again = {effect.run_id for effect in stage.effects.read("began") if effect.at > since}
    return orphans <= again
