"""A server with the desk and the tasks of these tests, and a browser."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.browser.conftest import browser, page, sound  # noqa: F401
from tests.browser.server import ROOT, BacklineServer


class DeskServer(BacklineServer):
    """Backline with the tasks of tests.dashboard.room."""

    closed = False

    @property
    def environment(self) -> dict[str, str]:
        """The same, closed to strangers when it is."""
        return super().environment | (
            {"FEATURE_REQUIRE_AUTH": "1", "SIGN_IN_COOKIE_SECURE": "0"} if self.closed else {}
        )

    def seed(self, what: str, count: int = 1) -> list[str]:
        """Enqueue runs. Gives their ids."""
        return self.say("tests.dashboard.seed", what, str(count)).split()

    def token(self, role: str) -> str:
        """A token as the terminal makes it."""
        return self.say("backend.cli", "sign-ins", "open", f"did:plc:{role}", "--role", role).strip()

    def say(self, module: str, *words: str) -> str:
        """Run a program of this installation. Gives what it prints."""
        command = [sys.executable, "-m", module, *words]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.dashboard.serve", "serve", "--port", str(self.port)]


class ClosedServer(DeskServer):
    """One that wants a sign-in."""

    closed = True


class IdleServer(DeskServer):
    """One on a Redis that loses what it knows, and that executes nothing."""

    redis = ""

    @property
    def environment(self) -> dict[str, str]:
        """The same, with that Redis."""
        return super().environment | {"DOCKET_URL": self.redis, "WORKERS_ENABLED": "0"}


@pytest.fixture(scope="module")
def idle(redis_url: str) -> Iterator[IdleServer]:
    """A running server that leaves the work to others, of whom there are none."""
    server = IdleServer()
    server.redis = redis_url
    with server:
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[DeskServer]:
    """A running server."""
    with DeskServer() as started:
        yield started


@pytest.fixture(scope="module")
def closed() -> Iterator[ClosedServer]:
    """A running server that others can reach."""
    with ClosedServer() as started:
        yield started
