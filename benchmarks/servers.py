"""The servers of one run of the benchmarks: Redis and PostgreSQL on free ports, gone with it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import redis

from benchmarks.systems import POSTGRESQL, SQLITE, Site, System
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.postgres import PostgresServer
from tests.servers import RedisServer


class DurablePostgres(PostgresServer):
    """PostgreSQL as production has it: a commit is on the disk when it returns."""

    def _command(self) -> list[str]:
        settings = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
        return [*super()._command(), *(word for setting in settings for word in ("-c", setting))]


class Servers:
    """Makes a fresh site for each measurement: an empty Redis, and a migrated database where one is needed."""

    def __init__(self, directory: Path, fsync: bool) -> None:
        self.redis = RedisServer()
        self.postgres = DurablePostgres() if fsync else PostgresServer()
        self._directory = directory
        self._numbers = count()
        self._sqlite = SqliteDatabases(directory)
        self._databases: PostgresDatabases | None = None

    @contextmanager
    def site(self, system: System, redis_server: RedisServer | None = None) -> Iterator[Site]:
        """A site of its own for this system. `redis_server` is emptied; without one it is the shared one."""
        server = redis_server or self.redis
        with redis.Redis.from_url(server.url, protocol=2) as client:
            client.flushall()
        name = f"{system.name}-{next(self._numbers)}"
        directory = self._directory / name
        directory.mkdir()
        url = self._database_url(system, directory)
        try:
            yield Site(system, directory, server.url, url, name)
        finally:
            if system.kind == POSTGRESQL and url and self._databases:
                self._databases.drop(url)
            shutil.rmtree(directory, ignore_errors=True)

    def _database_url(self, system: System, directory: Path) -> str | None:
        if system.kind == SQLITE:
            return self._sqlite.migrated(directory)
        if system.kind != POSTGRESQL:
            return None
        if self._databases is None:
            self._databases = PostgresDatabases(self.postgres.start().url, self._directory)
        return self._databases.migrated()


@contextmanager
def open_servers(fsync: bool) -> Iterator[Servers]:
    """Servers and a scratch directory, until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    servers = Servers(directory, fsync)
    try:
        with servers.redis:
            yield servers
    finally:
        servers.postgres.remove()
        shutil.rmtree(directory, ignore_errors=True)
