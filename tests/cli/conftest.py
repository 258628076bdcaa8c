"""The terminal, run in this process, over a ledger that has something in it."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
from typer.testing import CliRunner

from backend._internal.background import background
from backend.cli import app
from backend.runtime import runs, telemetry
from backend.settings import get_settings
from tests.api import room
from tests.conftest import set_environment


@dataclass
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


class Terminal:
    """`backline`, without a process of its own."""

    def __call__(self, *words: str, typed: str | None = None) -> Ran:
        """Run a command. `typed` is what somebody types into it."""
        result = CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
        assert "Traceback" not in result.stderr
        return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass
class Ledger:
    """The runs that `filled_ledger` made, by what became of them."""

    succeeded: str
    dead: str
    waiting: str


@pytest.fixture
def backline(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """The terminal, with an SQLite database of the test's own."""
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{token_hex(4)}")
    root = logging.getLogger()
    level = root.level
    yield Terminal()
    # A command sets up the logs of its process, and here that is the tests' own.
    root.setLevel(level)
    root.removeHandler(telemetry._terminal)


@pytest.fixture
def ledger(backline: Terminal) -> Ledger:
    """A succeeded, a dead and a waiting run."""
    return asyncio.run(_fill())


async def _fill() -> Ledger:
    async with background(get_settings()):
        note, die = await room.schedule_api_note("la"), await room.schedule_api_die("because")
        async with asyncio.timeout(20):
            while (await runs.count_runs())["succeeded"] + (await runs.count_runs())["dead"] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    from backend.cli.session import ledger as opened

    async with opened():
        waiting = await room.schedule_api_wait()
    return Ledger(note.id, die.id, waiting.id)
