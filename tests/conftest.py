"""Fixtures for all tests: a clean environment, real servers, fresh databases, and the three engines."""

import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from fakeredis import TcpFakeServer
from redis import Redis

from backend.db.session import Database, open_database
from backend.settings import SECTIONS, Settings, get_settings
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.network.install import is_installed
from tests.network.server import NetworkServer
from tests.postgres import PostgresServer
from tests.servers import NoServer, RedisServer

ROOT = Path(__file__).parent.parent
OURS = {name.upper() for section in SECTIONS for name in section.model_fields}
INSTALL_S = 900
FOREIGN = ("LOGFIRE_", "OTEL_")  # read by libraries behind our back


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting comes from outside the test: neither a variable nor a `.env`. DATA_DIR is the test's own."""
    for name in list(os.environ):
        if name.upper() in OURS or name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPANS_STORE", "0")  # few tests are about spans, and every process would write them
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # child processes start in `tmp_path` too
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> None:
    """Set settings as upper-case variables, or unset them with None, so that the next `get_settings()` sees them."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    get_settings.cache_clear()


# Redis


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis: TEST_REDIS_URL, else one server per test process. Shared by tests: use names of your own."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    try:
        server = RedisServer().start()
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)
    yield server.url
    server.remove()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running Redis of the test's own, with an append-only file: kill it, freeze it, restart it."""
    try:
        server = RedisServer(appendonly=True).start()
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def fakeredis_server() -> Iterator[str]:
    """The address of fakeredis's TCP server. Fast, in memory, and no process of its own."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    server.daemon_threads = True  # a connection that a test left open must not hold up the end
    thread = threading.Thread(target=server.serve_forever, name="fakeredis", daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def fakeredis_url(fakeredis_server: str) -> str:
    """The same, emptied before each test."""
    with Redis.from_url(fakeredis_server, protocol=2) as client:
        client.flushall()
    return fakeredis_server


# Databases


@pytest.fixture(scope="session")
def postgres_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresDatabases]:
    """A real PostgreSQL: TEST_DATABASE_URL (its user may create databases), else one server per test process."""
    scratch = tmp_path_factory.mktemp("postgres")
    server = None
    try:
        server = None if os.environ.get("TEST_DATABASE_URL") else PostgresServer().start()
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)
    databases = PostgresDatabases(server.url if server else os.environ["TEST_DATABASE_URL"], scratch)
    yield databases
    databases.close()
    if server:
        server.remove()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """Maker of migrated SQLite files."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    url = postgres_databases.migrated()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def empty_postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A PostgreSQL database of the test's own, without tables."""
    url = postgres_databases.empty()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(scope="module")
def module_postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A migrated PostgreSQL database that the tests of one module share."""
    url = postgres_databases.migrated()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def sqlite_url(sqlite_databases: SqliteDatabases, tmp_path: Path) -> str:
    """A migrated SQLite database in the test's data directory."""
    return sqlite_databases.migrated(tmp_path / "data")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database on each dialect in turn. It is also what DATABASE_URL says."""
    url = str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
    set_environment(monkeypatch, DATABASE_URL=url)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The process's open database, on each dialect in turn."""
    async with open_database(get_settings().database) as opened:
        yield opened


@pytest.fixture
async def sqlite_database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """The process's open database, on SQLite only."""
    set_environment(monkeypatch, DATABASE_URL=sqlite_url)
    async with open_database(get_settings().database) as opened:
        yield opened


@pytest.fixture
async def postgres_database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """The process's open database, on PostgreSQL only."""
    set_environment(monkeypatch, DATABASE_URL=postgres_url)
    async with open_database(get_settings().database) as opened:
        yield opened


# The AT Protocol


@pytest.fixture(scope="session")
def network() -> Iterator[NetworkServer]:
    """A real PLC directory and PDS, where alice.test and bob.test live. Started by the first test that asks."""
    try:
        server = NetworkServer().start()
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the network's packages are not installed yet, its tests may take the time for that."""
    if not is_installed():
        for item in items:
            if "network" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.timeout(INSTALL_S))


# Engines


@pytest.fixture(params=["inline", "memory", "redis"])
def engine_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """DOCKET_URL unset, `memory://` and a real Redis in turn, each under a name of its own.

    A test for some of them says so: `@pytest.mark.parametrize("engine_mode", ["redis"], indirect=True)`.
    """
    name = f"test-{token_hex(6)}"
    urls = {"inline": None, "memory": f"memory://{name}"}
    url = urls[request.param] if request.param in urls else str(request.getfixturevalue("redis_url"))
    set_environment(monkeypatch, DOCKET_URL=url, DOCKET_NAME=name)
    yield request.param
    if url and request.param == "redis":
        with Redis.from_url(url, protocol=2) as client:
            for key in client.scan_iter(f"*{name}*", count=1000):
                client.delete(key)


@pytest.fixture
def engine_settings(engine_mode: str, database_url: str) -> Settings:
    """All settings, for each engine on each dialect."""
    return get_settings()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel between processes as UTF-8, and some tests log what has no UTF-8: half a surrogate pair."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
