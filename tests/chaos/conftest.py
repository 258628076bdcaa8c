"""Fixtures for chaos: how much of it, the stage, and the measured numbers in the terminal."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from secrets import token_hex

import asyncpg
import pytest

from backend.db.session import open_database
from backend.runtime import registry
from backend.settings import get_settings
from tests.chaos import tasks
from tests.chaos.effects import VARIABLE, Effects
from tests.chaos.stage import Stage, sized
from tests.conftest import set_environment
from tests.databases import PostgresDatabases, in_thread
from tests.postgres import PostgresServer

MEASURED = "measured"

OpenStage = Callable[..., AbstractAsyncContextManager[Stage]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Waiting is what these tests do: they get longer than others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(sized(300, 3000)))


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """The tests' tasks, in this process too, and for this test only."""
    before = dict(registry)
    tasks.declare()
    yield
    registry.clear()
    registry.update(before)


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresServer, str]]:
    """A PostgreSQL of the test's own, to be stopped and started, and the URL of a migrated database in it."""
    with PostgresServer() as server:
        databases = PostgresDatabases(server.url, tmp_path_factory.mktemp("scratch"))
        url = databases.migrated()
        in_thread(_make_durable(url))
        yield server, url


async def _make_durable(url: str) -> None:
    # The test server answers before a commit is written. This one is killed, so it may not.
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER ROLE postgres SET synchronous_commit = on")
    await connection.close()


@pytest.fixture
def open_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> OpenStage:
    """Opens a stage: `async with open_stage(database_url, docket_url) as stage`."""

    def note(what: str, value: object) -> None:
        record_property(MEASURED, f"{what}: {value:.2f}" if isinstance(value, float) else f"{what}: {value}")

    @asynccontextmanager
    async def opened(database_url: str, docket_url: str | None) -> AsyncIterator[Stage]:
        effects, name = Effects(tmp_path / "effects.txt"), f"chaos-{token_hex(4)}"
        set_environment(
            monkeypatch,
            DATABASE_URL=database_url,
            DOCKET_URL=docket_url,
            DOCKET_NAME=name,
            WORKERS_ENABLED="0",
            **{VARIABLE: str(effects.path)},
        )
        async with open_database(get_settings().database) as database:
            in_redis = docket_url if docket_url and docket_url.startswith("redis") else None
            stage = Stage(tmp_path, database, effects, in_redis, name, note)
            try:
                yield stage
            finally:
                stage.dismiss()

    return opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    measured = [(r.nodeid, v) for r in reports for k, v in r.user_properties if k == MEASURED and r.when == "call"]
    if measured:
        terminalreporter.section("measured")
    for test, value in measured:
        terminalreporter.write_line(f"{test.rpartition('::')[2]}: {value}")
