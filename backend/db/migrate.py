"""Bring a database to the models, and say how far it is behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.db import models  # noqa: F401  makes every table known
from backend.db.base import Base
from backend.db.session import Database
from backend.errors import Misconfigured

# Two processes that start together must not migrate together.
MIGRATION_LOCK = 4_202_601


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database, to: str = "head") -> None:
    """Run every migration that has not run yet, or undo those after the revision `to` (`base`: all).

    Safe to call from several processes at once.
    """

    def move(connection: Connection) -> None:
        # The lock is taken before Alembic looks at anything. On SQLite any statement takes it: see `_begin_sqlite`.
        postgresql = connection.dialect.name == "postgresql"
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})" if postgresql else "SELECT 1")
        (command.downgrade if to == "base" else command.upgrade)(_config(connection), to)

    async with rebuilding(database) as connection:
        await connection.run_sync(move)


@asynccontextmanager
async def rebuilding(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction that may rebuild tables.

    SQLite changes a table by copying it and dropping the old one, which would delete the rows that refer to it.
    """
    try:
        async with database.unit() as unit:
            if database.is_sqlite:
                raw = (await unit.connection.get_raw_connection()).driver_connection
                await raw.execute("PRAGMA foreign_keys=OFF")  # has no effect once a transaction is open
            yield unit.connection
    finally:
        if database.is_sqlite:
            await database.engine.dispose()  # new connections keep foreign keys again


async def revisions(database: Database) -> tuple[str | None, str | None]:
    """The revision the database has, and the one the code needs."""

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.reading() as session:
        has = await (await session.connection()).run_sync(current)
    return has, ScriptDirectory.from_config(_config()).get_current_head()


async def differences(database: Database) -> list[object]:
    """What the models have that the migrated database has not, and the other way round."""

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts=_compare_options(connection))
        return compare_metadata(context, Base.metadata)

    async with database.reading() as session:
        return await (await session.connection()).run_sync(compare)


def _compare_options(connection: Connection) -> dict[str, Any]:
    skip = {"include_object": _comparable} if connection.dialect.name == "sqlite" else {}
    return {"compare_type": True, **skip}


def _comparable(thing: object, name: str | None, *_: object) -> bool:
    # SQLite reports an index's columns without their direction, so the one index that has a direction
    # never compares equal there. On PostgreSQL it does, and is compared.
    return name != "ix_runs_feed"


async def prepare(database: Database) -> None:
    """At start: migrate where the settings say so, else refuse a database that is behind.

    Raises Misconfigured with the command that mends it.
    """
    wanted = database.settings.database_migrate
    if wanted if wanted is not None else database.is_sqlite:
        await migrate(database)
        return
    has, needs = await revisions(database)
    if has != needs:
        raise Misconfigured(
            f"the database is at revision {has or 'none'}, the code needs {needs}: run `backline migrate`",
            field="DATABASE_URL",
        )
