"""The watch: each kind of trouble is found, told of once in a period, and once more when it is over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Attempt, Control, Process, Run, Schedule
from backend.db.session import Database, open_database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.alerts import watch as watching
from backend.domains.alerts.troubles import find_troubles
from backend.domains.alerts.watch import watch
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.settings import get_settings
from tests.conftest import set_environment

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def told_by_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, NOTICE_URL="http://127.0.0.1:1/nobody-listens")


async def run(**values: Any) -> str:
    """A row of the ledger."""
    given = {"task": "transcode_version", "queue": "media", "args": {}, **values}
    made = Run(id=new_id(), **given)
    async with unit_of_work() as unit:
        unit.session.add(made)
    return made.id


async def die(task: str = "transcode_version", at: datetime | None = None) -> str:
    said = {"error_type": "Refused", "error": "no: token=abcdefgh\nsecond line", "error_group": "g"}
    return await run(task=task, state="dead", finished_at=at or now(), **said)


async def put(*rows: Any) -> None:
    async with unit_of_work() as unit:
        unit.session.add_all(rows)


async def subjects(moment: datetime | None = None) -> dict[str, str]:
    async with current_database().reading() as session:
        return {each.subject: each.text for each in await find_troubles(session, get_settings(), moment or now())}


async def notices() -> list[tuple[str, str]]:
    """What is on its way to the operator, oldest first: the event and the subject."""
    found = [each for each in await runs.list_runs(RunFilter(), limit=100) if each.task == "send_notice"]
    told = [each.args["notice"] for each in reversed(found)]
    return [(each["event"], each["data"]["subject"]) for each in told]


# What is a trouble


async def test_nothing_is_no_trouble(database: Database) -> None:
    await run(state="waiting")
    await run(state="succeeded", finished_at=now())
    assert await subjects() == {}


async def test_dead_runs_by_task_without_their_secrets(database: Database) -> None:
    await die()
    await die()
    await die("sync_profile")
    await die("old_one", now() - 25 * HOUR)
    found = await subjects()
    assert sorted(found) == ["dead:sync_profile", "dead:transcode_version"]
    assert found["dead:transcode_version"].startswith("2 runs of transcode_version died, for example of Refused: no: ")
    assert "abcdefgh" not in str(found)
    assert "second line" not in str(found)


async def test_a_queue_that_stands_still(database: Database) -> None:
    await run(state="waiting", updated_at=now() - 11 * MINUTE)
    assert "1 runs of the queue media wait" in (await subjects())["silent:media"]


@pytest.mark.parametrize("why", ["young", "parked", "paused queue", "paused task", "one runs", "one started"])
async def test_a_queue_that_waits_for_a_reason_is_no_trouble(database: Database, why: str) -> None:
    long_ago = now() - 11 * MINUTE
    await run(
        state="waiting",
        updated_at=now() if why == "young" else long_ago,
        parked_on="did:plc:alice" if why == "parked" else None,
    )
    if why == "paused queue":
        await put(Control(kind="queue", name="media", paused=True))
    if why == "paused task":
        await put(Control(kind="task", name="transcode_version", paused=True))
    if why == "one runs":
        await run(state="running", started_at=now() - HOUR)
    if why == "one started":
        done = await run(state="succeeded", finished_at=now())
        await put(Attempt(run_id=done, number=1, worker="w", started_at=now() - MINUTE, outcome="succeeded"))
    assert await subjects() == {}


def process(name: str, host: str, seen: timedelta) -> Process:
    rest = {"kind": "worker", "engine": "docket", "pid": 1, "version": "0", "capacity": 1, "tasks": []}
    return Process(name=name, host=host, seen_at=now() - seen, started_at=now() - seen, **rest)


async def test_workers_that_die_again_and_again(database: Database) -> None:
    await put(*(process(f"a{n}", "a", MINUTE) for n in range(3)))
    await put(*(process(f"b{n}", "b", MINUTE) for n in range(2)), process("b3", "b", timedelta()))
    await put(*(process(f"c{n}", "c", HOUR) for n in range(3)))
    assert list(await subjects()) == ["crash:a"]


async def test_a_task_under_which_workers_die(database: Database) -> None:
    for task, count in (("transcode_version", 3), ("sync_profile", 2)):
        made = await run(task=task, state="waiting")
        ended = {"started_at": now() - 2 * MINUTE, "ended_at": now() - MINUTE, "outcome": "lost"}
        await put(*(Attempt(run_id=made, number=n, worker="w", **ended) for n in range(count)))
    assert list(await subjects()) == ["lost:transcode_version"]


async def test_schedules_that_fail_or_do_not_fire(database: Database) -> None:
    died, fine = await die("failing"), await run(state="succeeded", task="fine", finished_at=now())
    soon, late = now() + MINUTE, now() - 11 * MINUTE
    declared = {"declared": "* * * * *"}
    await put(
        Schedule(task="failing", next_at=soon, last_run_id=died, **declared),
        Schedule(task="fine", next_at=soon, last_run_id=fine, **declared),
        Schedule(task="late", next_at=late, **declared),
        Schedule(task="paused", next_at=late, paused=True, **declared),
    )
    found = await subjects()
    assert sorted(found) == ["schedule:failing", "schedule:late"]  # and not as dead letters once more
    assert "has not fired" in found["schedule:late"]


# What is told of it


@pytest.fixture
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs that carry the notices wait for ever here, which is no trouble."""
    set_environment(monkeypatch, ALERT_SILENT_S="1e6")


async def test_it_is_told_once_and_its_end_once(nobody_works: None, database: Database) -> None:
    died, start = await die(), now()
    assert await watch(start) == {"open": 1, "told": 1, "resolved": 0}
    for later in (1, 2, 30):
        assert (await watch(start + later * MINUTE))["told"] == 0
    await runs_gone(died)
    assert await watch(start + 31 * MINUTE) == {"open": 0, "told": 0, "resolved": 1}
    assert await watch(start + 32 * MINUTE) == {"open": 0, "told": 0, "resolved": 0}
    subject = "dead:transcode_version"
    assert await notices() == [("trouble.opened", subject), ("trouble.resolved", subject)]


async def test_one_that_goes_on_is_told_again_after_a_period(nobody_works: None, database: Database) -> None:
    await die()
    start = now()
    told = [(await watch(start + minutes * MINUTE))["told"] for minutes in (0, 59, 61, 100, 119, 122)]
    assert told == [1, 0, 1, 0, 0, 1]
    assert [event for event, _ in await notices()] == ["trouble.opened", "trouble.continues", "trouble.continues"]


async def test_one_that_comes_and_goes_does_not_ring_each_time(nobody_works: None, database: Database) -> None:
    start, minutes = now(), iter(range(60))
    for _ in range(5):
        died = await die()
        await watch(start + next(minutes) * MINUTE)
        await runs_gone(died)
        await watch(start + next(minutes) * MINUTE)
    assert [event for event, _ in await notices()] == ["trouble.opened", "trouble.resolved"]
    await die()
    assert (await watch(start + 2 * HOUR))["told"] == 1


async def test_a_restart_repeats_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url)
    for expected in (1, 0, 0):
        async with open_database(get_settings().database):
            if expected:
                await die()
            assert (await watch())["told"] == expected


async def test_each_channel_gets_a_run_of_its_own(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(
        monkeypatch, NOTICE_MAIL="ops@example.com", SMTP_URL="smtp://localhost", NOTICE_DID="bob.test",
        NOTICE_ACCOUNT="alice.test", NOTICE_ACCOUNT_PASSWORD="abcd-abcd-abcd-abcd",
    )  # fmt: skip
    await die()
    await watch()
    found = [each for each in await runs.list_runs(RunFilter(), limit=100) if each.task == "send_notice"]
    assert sorted(each.args["channel"] for each in found) == ["chat", "mail", "webhook"]
    assert len({each.key for each in found}) == 3


async def test_without_a_channel_it_is_remembered_and_nobody_is_told(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, NOTICE_URL=None)
    await die()
    assert (await watch())["open"] == 1
    assert await notices() == []


def test_every_kind_has_a_title() -> None:
    assert set(watching.TITLES) == {"dead", "schedule", "silent", "crash", "lost"}


async def runs_gone(run_id: str) -> None:
    """As when an operator purged it."""
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(Run).where(Run.id == run_id))
