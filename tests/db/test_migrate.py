"""Migrations build an empty database to the models on both dialects, also when several processes do it at once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import String, inspect, select, text
from sqlalchemy.engine import Connection

from backend.db.base import Base
from backend.db.migrate import differences, migrate, prepare, rebuilding, revisions
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Database, open_database
from backend.errors import Misconfigured
from backend.settings.database import DatabaseSettings

MIGRATE = """
import asyncio
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.settings import get_settings

async def main():
    database = Database(get_settings().database)
    await migrate(database)
    await database.close()

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_settings(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseSettings:
    """Settings of an empty database on each dialect."""
    url = request.getfixturevalue("empty_postgres_url") if request.param == "postgresql" else None
    return DatabaseSettings(database_url=url, data_dir=tmp_path / "empty")


@pytest.fixture
async def empty_database(empty_settings: DatabaseSettings) -> AsyncIterator[Database]:
    """An open, empty database on each dialect."""
    async with open_database(empty_settings) as database:
        yield database


async def _tables(database: Database) -> set[str]:
    async with database.reading() as session:
        connection = await session.connection()
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_an_empty_database_is_brought_to_the_models(empty_database: Database) -> None:
    assert (await revisions(empty_database))[0] is None
    await migrate(empty_database)
    has, needs = await revisions(empty_database)
    assert has == needs
    assert await differences(empty_database) == []
    assert await _tables(empty_database) == {*Base.metadata.tables, "alembic_version"}


async def test_a_second_migration_changes_nothing(empty_database: Database) -> None:
    await migrate(empty_database)
    before = await revisions(empty_database)
    await migrate(empty_database)
    assert await revisions(empty_database) == before


async def test_several_callers_migrate_at_once(empty_settings: DatabaseSettings) -> None:
    databases = [Database(empty_settings) for _ in range(4)]
    await asyncio.gather(*(migrate(database) for database in databases))
    assert await differences(databases[0]) == []
    for database in databases:
        await database.close()


async def test_several_processes_migrate_at_once(
    empty_settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(empty_settings.data_dir))
    if empty_settings.database_url:
        monkeypatch.setenv("DATABASE_URL", empty_settings.database_url.get_secret_value())
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, stderr=asyncio.subprocess.PIPE)
        for _ in range(4)
    ]
    for process in started:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    async with open_database(empty_settings) as database:
        assert await differences(database) == []


async def test_differences_are_seen(database: Database) -> None:
    async with database.unit() as unit:
        await unit.connection.execute(text("ALTER TABLE tracks ADD COLUMN forgotten INTEGER"))
        await unit.connection.execute(text("DROP INDEX ix_runs_finished_at"))
    found = str(await differences(database))
    assert "forgotten" in found
    assert "ix_runs_finished_at" in found


async def test_the_index_that_sqlite_cannot_compare_is_there(sqlite_database: Database) -> None:
    async with sqlite_database.reading() as session:
        made = await session.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'ix_runs_feed'"))
    assert made is not None
    assert "queue, priority DESC, id" in made
    assert "WHERE state = 'waiting'" in made


async def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(sqlite_database: Database) -> None:
    async with sqlite_database.unit() as unit:
        asset = Asset(bucket="private", key="k", mime="audio/flac", size_bytes=1)
        track = Track(title="Song")
        unit.session.add_all([asset, track])
        await unit.session.flush()
        unit.session.add(TrackVersion(track_id=track.id, original_asset_id=asset.id))

    def rebuild(connection: Connection) -> None:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("tracks", recreate="always") as table:
            table.alter_column("title", existing_type=String(500), type_=String(600))

    async with rebuilding(sqlite_database) as connection:
        await connection.run_sync(rebuild)
    async with sqlite_database.reading() as session:
        assert await session.scalar(select(TrackVersion.track_id)) == track.id
        connection = await session.connection()
        assert (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1


async def test_a_track_that_showed_its_newest_version_still_does(empty_database: Database) -> None:
    await migrate(empty_database, to="0003")
    async with empty_database.unit() as unit:
        add = unit.connection.exec_driver_sql
        await add("INSERT INTO assets VALUES ('a', 'private', 'k', 'audio/flac', 1, NULL, NULL, '2026-01-01')")
        await add("INSERT INTO tracks (id, title, created_at) VALUES ('t', 'Song', '2026-01-01')")
        for version in ("v1", "v2"):
            columns = "(id, track_id, original_asset_id, status, created_at)"
            await add(f"INSERT INTO track_versions {columns} VALUES ('{version}', 't', 'a', 'ready', '2026-01-01')")
    await migrate(empty_database)
    async with empty_database.reading() as session:
        assert await session.scalar(select(Track.current_version_id)) == "v2"


async def test_at_start_sqlite_is_migrated(tmp_path: Path) -> None:
    async with open_database(DatabaseSettings(data_dir=tmp_path)) as database:
        await prepare(database)
        assert await differences(database) == []


async def test_at_start_a_postgres_that_is_behind_is_refused_with_the_command(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    settings = DatabaseSettings(database_url=empty_postgres_url, data_dir=tmp_path)
    async with open_database(settings) as database:
        with pytest.raises(Misconfigured, match="backline migrate") as refusal:
            await prepare(database)
        assert refusal.value.field == "DATABASE_URL"
        assert await _tables(database) == set()
        await migrate(database)
        await prepare(database)


async def test_at_start_postgres_is_migrated_where_the_settings_say_so(empty_postgres_url: str, tmp_path: Path) -> None:
    settings = DatabaseSettings(database_url=empty_postgres_url, data_dir=tmp_path, database_migrate=True)
    async with open_database(settings) as database:
        await prepare(database)
        assert await differences(database) == []


async def test_at_start_sqlite_is_left_alone_where_the_settings_say_so(tmp_path: Path) -> None:
    settings = DatabaseSettings(data_dir=tmp_path, database_migrate=False)
    async with open_database(settings) as database:
        with pytest.raises(Misconfigured, match="revision none"):
            await prepare(database)


async def test_every_migration_can_be_undone(empty_database: Database) -> None:
    await migrate(empty_database)
    await migrate(empty_database, to="base")
    assert await _tables(empty_database) == {"alembic_version"}
    await migrate(empty_database)
    assert await differences(empty_database) == []
