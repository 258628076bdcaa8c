"""Fixtures of the runner's tests: a registry of the test's own, quick settings, and a crew to open."""

from collections.abc import Iterator

import pytest

from backend.runtime.after import _followers
from backend.runtime.registry import registry
from tests.conftest import set_environment
from tests.runtime.crew import Crew, open_crew


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a test declares is gone after it, and what others declared is not there."""
    before = dict(registry)
    registry.clear()
    yield
    registry.clear()
    registry.update(before)
    for name in _followers.keys() - before.keys():
        del _followers[name]


@pytest.fixture(autouse=True)
def quick(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops that look often, and a stop that does not wait long."""
    set_environment(
        monkeypatch,
        RUNNER_POLL_S="0.2",
        RUNNER_REPAIR_S="0.2",
        RUNNER_HEARTBEAT_S="0.2",
        RUNNER_CANARY_S="0.5",
        RUNNER_SHUTDOWN_GRACE_S="0.3",
    )


@pytest.fixture
def crew(engine_mode: str, database_url: str) -> Crew:
    """Opens the database and the runner: `async with crew() as runner`. Again in the same test, it is a restart."""
    return open_crew
