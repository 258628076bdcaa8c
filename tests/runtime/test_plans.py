"""What operators look for is found by indexes: PostgreSQL reads no table of runs from end to end for a page."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import event, text

from backend.db.models.runs import State
from backend.db.session import Database
from backend.runtime import board, dead_letters, queues, runs
from backend.runtime.runs import RunFilter

MANY = 20_000
FILL = """
    INSERT INTO runs (id, task, queue, priority, key, state, args, attempt, starts, handover, crashes, cancel_requested,
        error_type, error, error_group, revision, created_at, started_at, finished_at, updated_at)
    SELECT 'run-' || lpad(n::text, 8, '0'), 'task_' || n % 50, CASE WHEN n % 200 = 0 THEN 'library' ELSE 'media' END, 0,
        'track:' || n, CASE WHEN n % 500 = 0 THEN 'dead' WHEN n % 501 = 0 THEN 'running' ELSE 'succeeded' END, '{}', 1, 1, 1,
        0, false, 'Unavailable', 'away', 'group' || n % 3, 1, now() - interval '1 s' * n, now() - interval '1 s' * n,
        now() - interval '1 s' * n, now() - interval '1 s' * n
    FROM generate_series(1, :many) AS n"""


@pytest.fixture
async def ledger(postgres_database: Database) -> Database:
    """A database with many runs that have ended, and a few that have not."""
    async with postgres_database.unit() as unit:
        await unit.connection.execute(text(FILL), {"many": MANY})
        await unit.connection.execute(text("ANALYZE runs"))
    return postgres_database


@pytest.mark.parametrize(
    ("look", "found"),
    [
        (lambda: runs.list_runs(limit=26), 26),
        (lambda: runs.list_runs(limit=26, before="run-00010000"), 26),
        (lambda: runs.list_runs(RunFilter(state=[State.DEAD]), limit=26), 26),
        (lambda: runs.list_runs(RunFilter(task="task_7"), limit=26), 26),
        (lambda: runs.list_runs(RunFilter(queue="library"), limit=26), 26),
        (lambda: runs.list_runs(RunFilter(key="track:4711"), limit=26), 1),
        (lambda: dead_letters.list_dead(RunFilter(error_group="group1"), limit=26), 13),
        (dead_letters.group_dead, None),
        (queues.list_queues, None),
        (board.by_minute, 60),
    ],
    ids=["newest", "next page", "by state", "by task", "by queue", "by key", "one group of the dead", "groups of the dead",
         "queues", "the last hour"],
)  # fmt: skip
async def test_it_is_found_by_an_index(
    ledger: Database, look: Callable[[], Awaitable[list[object]]], found: int | None
) -> None:
    seen: list[tuple[str, tuple[object, ...]]] = []
    event.listen(ledger.engine.sync_engine, "before_cursor_execute", lambda *each: seen.append(each[2:4]))
    answer = await look()
    assert found is None or len(answer) == found
    asked = [each for each in seen if "FROM runs" in each[0]]
    assert asked
    async with ledger.reading() as session:
        connection = await (await session.connection()).get_raw_connection()
        for statement, values in asked:
            plan = await connection.driver_connection.fetch(f"EXPLAIN {statement}", *values)
            assert "Seq Scan on runs" not in "\n".join(row[0] for row in plan), statement
