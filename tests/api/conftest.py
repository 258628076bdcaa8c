"""A real server of the whole application, and a client for it."""

from collections.abc import AsyncIterator
from secrets import token_hex

import httpx
import pytest

from backend.api.app import create_app
from backend.api.serving import serving
from backend.settings import get_settings
from tests.api import room
from tests.conftest import set_environment


@pytest.fixture
async def base_url(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The application on a port of this machine, with SQLite and the embedded engine, in this very loop."""
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{token_hex(4)}", UPLOAD_LIMIT_MB="3",
        SSE_KEEPALIVE_S="0.2", DLQ_PAGE_SIZE_MAX="10", RUNNER_SHUTDOWN_GRACE_S="0.5",
    )  # fmt: skip
    room.open_gate.clear()
    async with serving(create_app(get_settings())) as url:
        yield url


@pytest.fixture
async def api(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that application."""
    async with httpx.AsyncClient(base_url=base_url, timeout=30) as client:
        yield client
