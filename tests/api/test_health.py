"""Health over HTTP: live, ready and degraded are three different things."""

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from backend.db.base import now
from backend.db.session import database
from backend.runtime.runner import current_runner


async def test_all_is_well(api: httpx.AsyncClient) -> None:
    response = await api.get("/health")
    assert response.status_code == 200
    assert (response.json()["live"], response.json()["ready"], response.json()["degraded"]) == (True, True, [])
    for path in ("/health/live", "/health/ready"):
        assert (await api.get(path)).json() == {"ok": True, "degraded": []}


async def test_degraded_is_still_ready(api: httpx.AsyncClient) -> None:
    runner = current_runner()
    assert runner is not None
    runner.view.engine_up = False
    response = await api.get("/health/ready")
    assert (response.status_code, response.json()["ok"]) == (200, True)
    assert response.json()["degraded"]


async def test_a_process_that_nobody_mends_any_more_is_to_be_restarted(api: httpx.AsyncClient) -> None:
    runner = current_runner()
    assert runner is not None
    supervision = runner.engine_loop._task
    assert supervision is not None
    supervision.cancel()
    await asyncio.wait([supervision])
    response = await api.get("/health/live")
    assert (response.status_code, response.json()["ok"]) == (503, False)
    assert any("worker" in sentence for sentence in response.json()["degraded"])
    assert (await api.get("/health/ready")).status_code == 200


async def test_a_worker_that_is_restarted_in_vain_is_to_be_restarted_with_its_process(api: httpx.AsyncClient) -> None:
    runner = current_runner()
    assert runner is not None
    runner.card.canary_at = now() - timedelta(hours=1)
    runner.view.engine_up = False
    assert (await api.get("/health/live")).status_code == 200  # a restart brings no Redis back
    runner.view.engine_up = True
    runner.card.canary_at = now() - timedelta(hours=1)
    assert (await api.get("/health/live")).status_code == 503


@pytest.fixture
async def no_database(api: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[None]:
    """The database is away: its file is a directory, which no SQLite opens."""
    data, away = tmp_path / "data", tmp_path / "away"
    away.mkdir()
    await database().engine.dispose()
    for file in data.glob("backline.db*"):
        file.rename(away / file.name)
    (data / "backline.db").mkdir()
    yield
    (data / "backline.db").rmdir()
    for file in away.iterdir():
        file.rename(data / file.name)
    gc.collect()  # aiosqlite complains of each connection that could not be opened: here, and in no other test


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.usefixtures("no_database")
async def test_without_a_database_it_lives_and_is_not_ready(api: httpx.AsyncClient) -> None:
    response = await api.get("/health")
    assert (response.status_code, response.json()["ready"], response.json()["live"]) == (503, False, True)
    assert (await api.get("/health/ready")).status_code == 503
    assert (await api.get("/health/live")).status_code == 200
    refused = await api.get("/runs")
    assert (refused.status_code, refused.json()["title"]) == (503, "Unavailable")
    assert "backline.db" not in refused.text
