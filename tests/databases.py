"""Fresh databases for the tests: copies of one that was migrated once."""

import asyncio
import os
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from backend.db.migrate import migrate
from backend.db.session import Database
from backend.settings.database import DatabaseSettings

T = TypeVar("T")


class PostgresDatabases:
    """Databases on one server, with names that no other test process uses."""

    def __init__(self, server_url: str, scratch: Path) -> None:
        self._server_url = server_url.replace("postgres://", "postgresql://", 1)
        self._scratch = scratch
        self._prefix = f"backline_test_{os.getpid()}_{token_hex(4)}"
        self._count = 0
        self._template: str | None = None

    def empty(self) -> str:
        """The URL of a new database without tables."""
        return self._create("template0")

    def migrated(self) -> str:
        """The URL of a new database at the newest revision."""
        if self._template is None:
            template = self._create("template0")
            in_thread(_migrated(template, self._scratch))
            self._template = _name(template)
        return self._create(self._template)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        in_thread(self._execute(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)'))

    def close(self) -> None:
        """Drop the template."""
        if self._template is not None:
            in_thread(self._execute(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)'))
            self._template = None

    def _create(self, template: str) -> str:
        self._count += 1
        name = f"{self._prefix}_{self._count}"
        in_thread(self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class SqliteDatabases:
    """SQLite files, copied from one at the newest revision."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._template: Path | None = None

    def migrated(self, data_dir: Path) -> str:
        """The URL of a new database at the newest revision, where the defaults look for it in `data_dir`."""
        if self._template is None:
            in_thread(_migrated(None, self._scratch))
            self._template = self._scratch / "backline.db"
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "backline.db"
        shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"


async def _migrated(url: str | None, data_dir: Path) -> None:
    # `database_url=None` must win over the environment, so it is given, not left out.
    database = Database(DatabaseSettings(database_url=url, data_dir=data_dir))
    try:
        await migrate(database)
    finally:
        await database.close()


def in_thread(work: Coroutine[object, object, T]) -> T:
    """Run `work` in a loop and a thread of its own: a fixture may not touch the test's loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
