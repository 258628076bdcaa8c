"""What a scrape costs: one statement, by an index, among many runs that have ended."""

from sqlalchemy import event, text

from backend.db.session import Database
from backend.runtime import metrics

MANY = 20_000


async def test_a_scrape_is_one_statement_by_an_index(postgres_database: Database) -> None:
    fill = text("""
        INSERT INTO runs (id, task, queue, priority, state, args, attempt, starts, handover, crashes, cancel_requested,
            revision, created_at, updated_at)
        SELECT 'run-' || n, 'note', 'media', 0, CASE WHEN n % 1000 = 0 THEN 'waiting' ELSE 'succeeded' END, '{}', 0, 0, 0,
            0, false, 1, now(), now() - interval '1 minute'
        FROM generate_series(1, :many) AS n""")
    async with postgres_database.unit() as unit:
        await unit.connection.execute(fill, {"many": MANY})
        await unit.connection.execute(text("ANALYZE runs"))
    seen: list[tuple[str, tuple[str, ...]]] = []
    event.listen(postgres_database.engine.sync_engine, "before_cursor_execute", lambda *each: seen.append(each[2:4]))
    body, _ = await metrics.scrape()
    assert b'backline_cluster_runs{queue="media",state="waiting"} 20.0' in body
    assert b'backline_cluster_oldest_waiting_seconds{queue="media"} 6' in body
    ((statement, values),) = seen
    for number, given in reversed(list(enumerate(values, 1))):
        statement = statement.replace(f"${number}", f"'{given}'")
    async with postgres_database.reading() as session:
        plan = (await session.execute(text(f"EXPLAIN {statement}"))).scalars().all()
    assert "Seq Scan" not in "\n".join(plan)
    assert "ix_runs_" in "\n".join(plan)
