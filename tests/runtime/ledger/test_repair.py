"""Repair: runs whose hand-over came a second time, or whose worker died."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from backend.db.base import now
from backend.db.session import Database
from backend.runtime.ledger.journal import Change
from backend.runtime.ledger.repair import held_since, lose, postpone, revive, wait_again
from backend.runtime.runs import get_run
from backend.runtime.ticket import Ticket

LIMIT = 3


async def set_run(database: Database, ticket: Ticket, **values: Any) -> None:
    assigned = ", ".join(f"{name} = :{name}" for name in values)
    async with database.unit() as unit:
        await unit.connection.execute(
            text(f"UPDATE runs SET {assigned} WHERE id = :id"), {"id": ticket.run_id, **values}
        )


async def begin(database: Database, ticket: Ticket, worker: str = "dead") -> None:
    await set_run(
        database, ticket, state="running", starts=ticket.starts + 1, attempt=ticket.attempt + 1, worker=worker
    )


async def revive_now(database: Database, ticket: Ticket) -> tuple[Ticket | None, list[Change]]:
    async with database.unit() as unit:
        return await revive(unit, ticket, now(), LIMIT, now() - timedelta(seconds=5))


async def test_a_run_whose_worker_died_goes_on_under_a_new_start(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    await begin(database, ticket)
    again, _ = await revive_now(database, ticket)
    assert again is not None
    assert (again.handover, again.starts, again.attempt, again.crashes) == (1, 1, 0, 1)
    run = await get_run(ticket.run_id)
    assert (run.state, run.attempt, run.crashes) == ("queued", 0, 1)


async def test_a_worker_that_was_just_seen_is_still_at_it(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    await begin(database, ticket, "alive")
    async with database.unit() as unit:
        await unit.connection.execute(
            text(
                "INSERT INTO processes (name, kind, engine, host, pid, version, capacity, tasks, running, loop_lag_ms,"
                " memory_mb, restarts, started_at, seen_at)"
                " VALUES ('alive', 'worker', 'docket', 'h', 1, '1', 1, '[]', 1, 0, 0, 0, :now, :now)"
            ).bindparams(now=_moment(database))
        )
    assert await revive_now(database, ticket) == (None, [])
    assert (await get_run(ticket.run_id)).state == "running"


def _moment(database: Database) -> object:
    return now().replace(tzinfo=None).isoformat(" ") if database.is_sqlite else now()


async def test_a_worker_that_died_before_its_first_word_counts_too(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    again, _ = await revive_now(database, ticket)
    assert again is not None
    assert (again.starts, again.crashes) == (1, 1)
    run = await get_run(ticket.run_id)
    assert [(attempt.number, attempt.outcome) for attempt in run.attempts] == [(1, "lost")]


@pytest.mark.parametrize("state", ["waiting", "scheduled", "succeeded", "dead", "cancelled"])
async def test_what_is_not_in_hand_is_not_revived(database: Database, claim_one: Any, state: str) -> None:
    ticket = await claim_one()
    await set_run(database, ticket, state=state)
    before = await get_run(ticket.run_id)
    assert await revive_now(database, ticket) == (None, [])
    assert await get_run(ticket.run_id) == before


async def test_an_outdated_or_unknown_hand_over_is_not_revived(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    await set_run(database, ticket, handover=2)
    assert await revive_now(database, ticket) == (None, [])
    stranger = Ticket("018f0000-0000-7000-8000-000000000000", "measure", {}, 1, 0, 0)
    assert await revive_now(database, stranger) == (None, [])


async def test_a_cancelled_run_is_not_started_again(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    await begin(database, ticket)
    await set_run(database, ticket, cancel_requested=True)
    again, changes = await revive_now(database, ticket)
    assert again is None
    assert [change.state for change in changes] == ["cancelled"]
    assert (await get_run(ticket.run_id)).finished_at is not None


async def test_the_last_crash_is_the_end(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    await begin(database, ticket)
    await set_run(database, ticket, crashes=LIMIT - 1)
    again, _ = await revive_now(database, ticket)
    assert again is None
    run = await get_run(ticket.run_id)
    assert (run.state, run.error_type, run.crashes) == ("dead", "WorkerLost", LIMIT)
    assert run.error_group


async def test_what_is_held_is_found_and_only_once_set_right(database: Database, claim_one: Any) -> None:
    queued, running, fresh = await claim_one(), await claim_one(), await claim_one()
    long_ago = now() - timedelta(hours=1)
    for ticket in (queued, running):
        await set_run(database, ticket, handed_at=_text(database, long_ago))
    await begin(database, running)
    async with database.reading() as session:
        held = await held_since(await session.connection(), now() - timedelta(minutes=1))
    assert {run.id for run in held} == {queued.run_id, running.run_id}
    assert {run.ticket_key for run in held} == {queued.key, running.key}
    waiting = [run for run in held if run.state == "queued"]
    lost = [run for run in held if run.state == "running"]
    for expected in (1, 0):
        async with database.unit() as unit:
            assert len(await wait_again(unit, waiting, now())) == expected
            assert len(await lose(unit, lost, now(), LIMIT, "interrupted")) == expected
    assert (await get_run(queued.run_id)).state == "waiting"
    run = await get_run(running.run_id)
    assert (run.state, run.crashes) == ("interrupted", 1)
    assert run.finished_at is not None
    assert (await get_run(fresh.run_id)).state == "queued"


def _text(database: Database, moment: Any) -> object:
    return moment.replace(tzinfo=None).isoformat(" ") if database.is_sqlite else moment


async def test_a_postponed_run_is_no_attempt(database: Database, claim_one: Any) -> None:
    ticket = await claim_one()
    async with database.unit() as unit:
        assert len(await postpone(unit, ticket, now(), timedelta(seconds=2))) == 1
        assert await postpone(unit, ticket, now(), timedelta(seconds=2)) == []
    run = await get_run(ticket.run_id)
    assert (run.state, run.attempt, run.attempts) == ("scheduled", 0, ())
    assert run.due_at is not None
