"""A batch of rows as a table in a statement, on both dialects."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from backend.db.batch import Batch, Kind
from backend.db.models.runs import Run
from backend.db.session import Database

COLUMNS = {
    "id": Kind.TEXT,
    "task": Kind.TEXT,
    "attempt": Kind.INT,
    "cancel_requested": Kind.BOOL,
    "due_at": Kind.MOMENT,
    "args": Kind.JSON,
    "result": Kind.JSON,
    "error": Kind.TEXT,
}
MOMENT = datetime(2026, 11, 23, 6, 59, 41, 120000, tzinfo=UTC)


async def _insert(database: Database, rows: list[dict[str, object]]) -> None:
    batch = Batch(database.engine.dialect.name, COLUMNS)
    fixed = {"queue": "'q'", "priority": "0", "state": "'waiting'", "starts": "0", "handover": "0", "crashes": "0"}
    fixed |= {"revision": "1", "created_at": "r.due_at", "updated_at": "r.due_at"}
    names = ", ".join([*COLUMNS, *fixed])
    values = ", ".join([*(batch.cell(name) for name in COLUMNS), *fixed.values()])
    async with database.unit() as unit:
        statement = f"INSERT INTO runs ({names}) SELECT {values} FROM {batch.source}"
        await unit.connection.execute(text(statement), {"rows": batch.encode(rows)})


async def test_every_kind_of_cell_arrives_as_the_model_reads_it(database: Database) -> None:
    row = {
        "id": "1",
        "task": "quote ' and \" and \\ and ü",
        "attempt": 3,
        "cancel_requested": True,
        "due_at": MOMENT,
        "args": {"deep": {"list": [1, None, "x"], "none": None}},
        "result": None,
        "error": None,
    }
    await _insert(database, [row])
    async with database.reading() as session:
        run = await session.scalar(select(Run))
        assert run is not None
        assert {name: getattr(run, name) for name in row} == row
        # Equal to what the models write, so that a query finds it.
        assert await session.scalar(select(Run.id).where(Run.due_at == MOMENT, Run.result.is_(None))) == "1"
        assert await session.scalar(select(Run.id).where(Run.due_at < MOMENT + timedelta(microseconds=1))) == "1"


async def test_many_rows_and_no_rows(database: Database) -> None:
    rows: list[dict[str, object]] = [
        {"id": f"{n:04}", "task": "t", "attempt": n, "cancel_requested": False, "due_at": MOMENT, "args": {}}
        for n in range(2_000)
    ]
    await _insert(database, [])
    await _insert(database, rows)
    async with database.reading() as session:
        assert list(await session.scalars(select(Run.attempt).order_by(Run.id))) == list(range(2_000))
