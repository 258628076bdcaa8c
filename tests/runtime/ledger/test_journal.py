"""The group commit: all of a page or nothing, each entry once, and nothing that is outdated."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from backend.db.base import now
from backend.db.models.runs import Outcome, State
from backend.db.session import Database
from backend.runtime.ledger.entries import Ended, Progressed, Started
from backend.runtime.ledger.journal import Change, Journal, Page
from backend.runtime.runs import get_run
from backend.runtime.ticket import Ticket
from backend.runtime.views import RunView


class Desk:
    """A journal, and who writes it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.fenced: list[Started] = []
        self.journal = Journal(lambda: None, self.fenced.append)

    async def write(self) -> list[Change]:
        page = self.journal.take()
        changes = await self.write_page(page)
        self.journal.settle(page)
        return changes

    async def write_page(self, page: Page) -> list[Change]:
        async with self.database.unit() as unit:
            return await page.write(unit)

    def start(self, ticket: Ticket, worker: str = "w1") -> None:
        self.journal.note(Started(ticket.run_id, ticket.handover, ticket.starts + 1, ticket.attempt + 1, worker, now()))

    def end(self, ticket: Ticket, state: State = State.SUCCEEDED, **more: Any) -> asyncio.Task[None]:
        outcome = more.pop("outcome", Outcome.SUCCEEDED)
        entry = Ended(
            ticket.run_id, ticket.handover, ticket.starts + 1, now(), state, outcome, ticket.attempt + 1, **more
        )
        return asyncio.create_task(self.journal.record(entry))


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def outcomes(run: RunView) -> list[tuple[int, str, str | None]]:
    return [(attempt.number, attempt.worker, attempt.outcome) for attempt in run.attempts]


async def test_a_short_run_is_one_page(desk: Desk, claim_one: Any) -> None:
    ticket = await claim_one()
    desk.start(ticket)
    recorded = desk.end(ticket, result={"a": [1, None]}, logs=[{"message": "x"}], progress={"percent": 100.0})
    await asyncio.sleep(0)
    changes = await desk.write()
    await asyncio.wait_for(recorded, 1)
    run = await get_run(ticket.run_id)
    assert (run.state, run.result, run.progress, run.worker) == (
        "succeeded",
        {"a": [1, None]},
        {"percent": 100.0},
        "w1",
    )
    assert outcomes(run) == [(1, "w1", "succeeded")]
    assert run.attempts[0].logs == [{"message": "x"}]
    assert changes[-1] == Change(run.id, "succeeded", run.revision)
    assert desk.fenced == []
    assert desk.journal.empty


async def test_a_long_run_is_several(desk: Desk, claim_one: Any) -> None:
    ticket = await claim_one()
    desk.start(ticket)
    await desk.write()
    assert (await get_run(ticket.run_id)).state == "running"
    desk.journal.note(Progressed(ticket.run_id, 1, {"percent": 10.0}))
    desk.journal.note(Progressed(ticket.run_id, 1, {"percent": 20.0}))
    await desk.write()
    assert (await get_run(ticket.run_id)).progress == {"percent": 20.0}
    desk.end(ticket)
    await asyncio.sleep(0)
    await desk.write()
    run = await get_run(ticket.run_id)
    assert (run.state, run.progress) == ("succeeded", {"percent": 20.0})


async def test_an_outdated_start_is_refused_and_told(desk: Desk, claim_one: Any) -> None:
    old = await claim_one()
    await _take_back(desk.database, old)
    new = await claim_one(old.run_id)
    desk.start(old, "old")
    desk.start(new, "new")
    await desk.write()
    run = await get_run(old.run_id)
    assert (run.state, run.worker, run.attempt) == ("running", "new", 1)
    assert outcomes(run) == [(1, "new", None)]
    assert [start.worker for start in desk.fenced] == ["old"]


async def test_of_two_short_runs_of_one_start_only_the_newer_counts(desk: Desk, claim_one: Any) -> None:
    old = await claim_one()
    await _take_back(desk.database, old)
    new = await claim_one(old.run_id)
    for ticket, worker in ((old, "old"), (new, "new")):
        desk.start(ticket, worker)
        desk.end(ticket, result=worker)
    await asyncio.sleep(0)
    await desk.write()
    run = await get_run(old.run_id)
    assert (run.state, run.worker, run.result) == ("succeeded", "new", "new")
    assert outcomes(run) == [(1, "new", "succeeded")]


async def test_an_outdated_end_is_refused_although_the_count_of_starts_is_the_same(desk: Desk, claim_one: Any) -> None:
    old = await claim_one()
    await _take_back(desk.database, old)
    new = await claim_one(old.run_id)
    desk.start(new, "new")
    await desk.write()
    desk.start(old, "old")
    recorded = desk.end(old, State.DEAD, outcome=Outcome.FAILED, error="outdated", error_type="E")
    await asyncio.sleep(0)
    assert await desk.write() == []
    await asyncio.wait_for(recorded, 1)
    assert [start.handover for start in desk.fenced] == [1]
    assert outcomes(await get_run(new.run_id)) == [(1, "new", None)]
    desk.end(new)
    await asyncio.sleep(0)
    await desk.write()
    run = await get_run(new.run_id)
    assert (run.state, run.error) == ("succeeded", None)
    assert outcomes(run) == [(1, "new", "succeeded")]


async def _take_back(database: Database, ticket: Ticket) -> None:
    async with database.unit() as unit:
        await unit.connection.execute(text("UPDATE runs SET state = 'waiting' WHERE id = :id"), {"id": ticket.run_id})


async def test_a_page_written_twice_says_the_same(desk: Desk, claim_one: Any) -> None:
    """After a lost connection nobody knows whether the commit arrived, so the page is written once more."""
    ended, running = await claim_one(), await claim_one()
    desk.start(ended)
    desk.start(running)
    desk.end(ended, result=7)
    await asyncio.sleep(0)
    page = desk.journal.take()
    await desk.write_page(page)
    first = await get_run(ended.run_id)
    desk.journal.put_back(page)
    await desk.write()
    assert await get_run(ended.run_id) == first
    assert {start.run_id for start in desk.fenced} <= {ended.run_id}
    assert (await get_run(running.run_id)).state == "running"
    desk.end(running)
    await asyncio.sleep(0)
    await desk.write()
    assert outcomes(await get_run(running.run_id)) == [(1, "w1", "succeeded")]


async def test_a_page_that_fails_is_written_with_the_next(desk: Desk, claim_one: Any) -> None:
    one, two = await claim_one(), await claim_one()
    desk.start(one)
    recorded = desk.end(one)
    await asyncio.sleep(0)
    page = desk.journal.take()
    with pytest.raises(ZeroDivisionError):
        await _write_and_fail(desk.database, page)
    desk.journal.put_back(page)
    assert (await get_run(one.run_id)).state == "queued"
    assert not recorded.done()
    desk.start(two)
    await desk.write()
    await asyncio.wait_for(recorded, 1)
    assert [(await get_run(ticket.run_id)).state for ticket in (one, two)] == ["succeeded", "running"]


async def _write_and_fail(database: Database, page: Page) -> None:
    async with database.unit() as unit:
        await page.write(unit)
        raise ZeroDivisionError


async def test_whoever_cancelled_meanwhile_wins_over_another_try(desk: Desk, claim_one: Any) -> None:
    tickets = [await claim_one() for _ in range(4)]
    for ticket in tickets:
        desk.start(ticket)
    await desk.write()
    async with desk.database.unit() as unit:
        await unit.connection.execute(text("UPDATE runs SET cancel_requested = true"))
    for ticket, state, outcome in zip(
        tickets,
        (State.SCHEDULED, State.WAITING, State.SUCCEEDED, State.DEAD),
        (Outcome.FAILED, Outcome.INTERRUPTED, Outcome.SUCCEEDED, Outcome.FAILED),
        strict=True,
    ):
        desk.end(ticket, state, outcome=outcome)
    await asyncio.sleep(0)
    await desk.write()
    runs = [await get_run(ticket.run_id) for ticket in tickets]
    assert [run.state for run in runs] == ["cancelled", "cancelled", "succeeded", "dead"]
    assert [run.attempts[0].outcome for run in runs] == ["failed", "cancelled", "succeeded", "failed"]
    assert all(run.finished_at for run in runs)


async def test_a_large_page_of_everything(desk: Desk, claim_one: Any) -> None:
    tickets = [await claim_one() for _ in range(60)]
    for ticket in tickets[:40]:
        desk.start(ticket)
    await desk.write()
    for number, ticket in enumerate(tickets):
        if number < 20:
            desk.end(ticket, result=number)
        elif number < 40:
            desk.journal.note(Progressed(ticket.run_id, 1, {"percent": number}))
        else:
            desk.start(ticket)
            if number >= 50:
                desk.end(
                    ticket, State.SCHEDULED, outcome=Outcome.FAILED, due_at=now(), error=f"e{number}", error_type="E"
                )
    await asyncio.sleep(0)
    await desk.write()
    runs = [await get_run(ticket.run_id) for ticket in tickets]
    assert [run.result for run in runs[:20]] == list(range(20))
    assert [run.progress for run in runs[20:40]] == [{"percent": number} for number in range(20, 40)]
    assert [run.state for run in runs[20:50]] == ["running"] * 30
    assert [(run.state, run.error) for run in runs[50:]] == [("scheduled", f"e{number}") for number in range(50, 60)]
    assert desk.fenced == []
