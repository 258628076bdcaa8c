"""The unit of work: all or nothing, joined, and followed by what was asked for after the commit."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from backend.db.models.runs import Control
from backend.db.session import Database, Unit, current_unit, open_database, unit_of_work
from backend.db.session import database as process_database
from backend.errors import Unavailable
from backend.settings.database import DatabaseSettings
from tests.postgres import PostgresServer


async def _names(database: Database) -> list[str]:
    async with database.reading() as session:
        return list(await session.scalars(select(Control.name).order_by(Control.name)))


def _control(name: str) -> Control:
    return Control(kind="queue", name=name)


async def test_what_a_unit_wrote_is_there_after_it(database: Database) -> None:
    async with database.unit() as unit:
        unit.session.add(_control("a"))
    assert await _names(database) == ["a"]


async def test_an_error_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.unit() as unit:
            unit.session.add(_control("a"))
            await unit.session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await _names(database) == []


async def test_a_cancelled_unit_leaves_nothing(database: Database) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with database.unit() as unit:
            unit.session.add(_control("a"))
            await unit.session.flush()
            written.set()
            await asyncio.sleep(60)

    writer = asyncio.create_task(write())
    await written.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert await _names(database) == []
    async with database.unit() as unit:  # and the next one is free to write
        unit.session.add(_control("b"))
    assert await _names(database) == ["b"]


async def test_an_inner_unit_joins_the_outer(database: Database) -> None:
    async def fail() -> None:
        async with database.unit() as outer:
            async with unit_of_work() as inner:
                assert inner is outer
                inner.session.add(_control("a"))
            assert current_unit() is outer
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert current_unit() is None
    assert await _names(database) == []


async def test_reading_inside_a_unit_sees_what_it_wrote(database: Database) -> None:
    async with database.unit() as unit:
        unit.session.add(_control("a"))
        await unit.session.flush()
        assert await _names(database) == ["a"]


async def test_session_and_connection_are_one_transaction(database: Database) -> None:
    async with database.unit() as unit:
        unit.session.add(_control("a"))
        await unit.session.flush()
        assert await unit.connection.scalar(select(func.count()).select_from(Control)) == 1


async def test_another_asyncio_task_does_not_join(database: Database) -> None:
    async def look() -> bool:
        return current_unit() is None

    async with database.unit():
        assert await asyncio.create_task(look())


async def test_calls_after_the_commit_run_in_order_and_see_the_data(database: Database) -> None:
    seen: list[tuple[int, list[str]]] = []

    async def first() -> None:
        assert current_unit() is None
        seen.append((1, await _names(database)))

    async def second() -> None:
        async with unit_of_work() as unit:  # may write, in a unit of its own
            unit.session.add(_control("b"))
        seen.append((2, await _names(database)))

    async with database.unit() as unit:
        unit.after_commit(first)
        async with unit_of_work() as joined:
            joined.after_commit(second)
        unit.session.add(_control("a"))
        assert seen == []
    assert seen == [(1, ["a"]), (2, ["a", "b"])]


async def test_nothing_runs_after_a_rollback(database: Database) -> None:
    async def never() -> None:
        raise AssertionError("ran after a rollback")

    async def fail() -> None:
        async with database.unit() as unit:
            unit.after_commit(never)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()


@pytest.mark.parametrize("way", ["session", "connection"])
async def test_a_failed_statement_that_was_caught_cannot_be_committed(database: Database, way: str) -> None:
    ran: list[str] = []

    async def hook() -> None:
        ran.append("hook")

    async def catch() -> None:
        async with database.unit() as unit:
            unit.after_commit(hook)
            unit.session.add(_control("b"))
            await unit.session.flush()
            target = unit.session if way == "session" else unit.connection
            with pytest.raises(IntegrityError):
                await target.execute(insert(Control).values(kind="queue", name="a"))

    async with database.unit() as unit:
        unit.session.add(_control("a"))
    with pytest.raises(RuntimeError, match="savepoint") as failure:
        await catch()
    assert failure.value.__cause__ is not None
    assert ran == []
    assert await _names(database) == ["a"]


async def test_a_savepoint_makes_a_failure_harmless(database: Database) -> None:
    async def try_again(unit: Unit) -> None:
        async with unit.connection.begin_nested():
            await unit.connection.execute(insert(Control).values(kind="queue", name="a"))

    async with database.unit() as unit:
        unit.session.add(_control("a"))
        await unit.session.flush()
        with pytest.raises(IntegrityError):
            await try_again(unit)
        unit.session.add(_control("b"))
    assert await _names(database) == ["a", "b"]


async def test_two_hundred_units_at_once(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.unit() as unit:
            count = await unit.session.scalar(select(func.count()).select_from(Control))
            assert count is not None
            unit.session.add(_control(f"{number:03}"))

    await asyncio.gather(*(write(number) for number in range(200)))
    assert len(await _names(database)) == 200


async def test_readers_and_writers_at_once(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.unit() as unit:
            unit.session.add(_control(f"{number:03}"))

    async def read() -> None:
        await _names(database)

    await asyncio.gather(*(write(number) for number in range(60)), *(read() for _ in range(60)))
    assert len(await _names(database)) == 60


async def test_two_databases_write_to_one_sqlite_file(sqlite_url: str, tmp_path: Path) -> None:
    settings = DatabaseSettings(database_url=sqlite_url, data_dir=tmp_path)
    first, second = Database(settings), Database(settings)

    async def write(database: Database, name: str) -> None:
        async with database.unit() as unit:
            await unit.session.scalar(select(func.count()).select_from(Control))  # reads before it writes
            unit.session.add(_control(name))

    await asyncio.gather(
        *(write(database, f"{database is first}-{n}") for n in range(50) for database in (first, second))
    )
    assert len(await _names(first)) == 100
    await first.close()
    await second.close()


async def test_no_free_connection_in_time_is_unavailable(database_url: str, tmp_path: Path) -> None:
    settings = DatabaseSettings(
        database_url=database_url, data_dir=tmp_path, database_pool_size=1, database_pool_timeout_s=0.1
    )
    async with open_database(settings) as database:
        async with database.unit():
            with pytest.raises(Unavailable, match="busy"):
                await asyncio.create_task(_names(database))
            with pytest.raises(Unavailable, match="busy"):
                await asyncio.create_task(_write(database))
        assert await _names(database) == []


async def _write(database: Database) -> None:
    async with database.unit() as unit:
        unit.session.add(_control("a"))


async def test_a_postgres_that_is_away_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    with PostgresServer() as server:
        database = Database(DatabaseSettings(database_url=server.url, data_dir=tmp_path))
        async with database.reading() as session:
            assert await session.scalar(select(1)) == 1
        server.stop()
        with pytest.raises(Unavailable, match="cannot be reached"):
            await _names(database)
        server.start()
        async with database.reading() as session:
            assert await session.scalar(select(1)) == 1
        await database.close()


async def test_sqlite_keeps_foreign_keys(sqlite_database: Database) -> None:
    async with sqlite_database.reading() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"


async def test_the_process_has_one_database_while_it_is_open(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no database is open"):
        process_database()
    async with open_database(DatabaseSettings(database_url=sqlite_url, data_dir=tmp_path)) as opened:
        assert process_database() is opened
    with pytest.raises(RuntimeError, match="no database is open"):
        unit_of_work()


async def test_a_writer_cancelled_between_a_statement_and_its_rows_gives_the_lock_back(
    sqlite_database: Database,
) -> None:
    """The cursor it leaves behind may be referenced for long: by a traceback, by a debugger."""
    left = []

    async def break_off() -> None:
        async with sqlite_database.unit() as unit:
            await unit.connection.begin()
            driver = (await unit.connection.get_raw_connection()).driver_connection
            assert driver is not None
            left.append(await driver.execute("UPDATE controls SET paused = 1 RETURNING name"))
            await unit.connection.invalidate()
            raise asyncio.CancelledError

    async with sqlite_database.unit() as unit:
        unit.session.add_all([_control("a"), _control("b")])
    with pytest.raises(asyncio.CancelledError):
        await break_off()
    async with asyncio.timeout(5), sqlite_database.unit() as unit:
        unit.session.add(_control("c"))
    assert await _names(sqlite_database) == ["a", "b", "c"]
    assert left
