"""The whole application as it runs in production: PostgreSQL, Redis, and real sound."""

from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from backend.api.app import create_app
from backend.api.serving import serving
from backend.settings import get_settings
from tests import audio
from tests.api.following import ended, events
from tests.api.room import schedule_api_die, schedule_api_note
from tests.conftest import set_environment


@pytest.fixture
async def api(postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on real servers."""
    set_environment(
        monkeypatch, DATABASE_URL=postgres_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{token_hex(6)}",
        RUNNER_SHUTDOWN_GRACE_S="1",
    )  # fmt: skip
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


async def test_a_track_goes_all_the_way_through(api: httpx.AsyncClient, tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "tone.flac", 2.0)
    with file.open("rb") as content:
        made = (await api.post("/tracks", files={"file": ("tone.flac", content)})).json()
    async with api.stream("GET", made["links"]["stream"]) as response:
        sent = [each async for each in events(response) if each.event]
    assert (sent[-1].event, sent[-1].data["state"]) == ("end", "succeeded")
    for run in (await api.get(made["links"]["runs"])).json()["items"]:
        assert (await ended(api, run["id"]))["state"] == "succeeded"
    track = (await api.get(made["links"]["track"])).json()
    assert track["version"]["status"] == "ready"
    assert (await api.get(track["links"]["hls_opus"])).text.startswith("#EXTM3U")


async def test_lists_groups_and_requeues(api: httpx.AsyncClient) -> None:
    note, dead = await schedule_api_note("on postgres"), await schedule_api_die("on postgres")
    await ended(api, note.id)
    await ended(api, dead.id)
    listed = (await api.get("/runs", params={"text": "POSTGRES", "limit": 1})).json()
    assert [run["id"] for run in listed["items"]] == [dead.id]
    assert [run["id"] for run in (await api.get(listed["next"])).json()["items"]] == [note.id]
    [group] = (await api.get("/dead/groups")).json()
    body = {"filter": {"error_group": group["error_group"]}}
    assert (await api.post("/dead/requeue", json=body)).json()["done"] == 1
    assert len((await ended(api, dead.id))["attempts"]) == 2
    assert (await api.post("/dead/purge", json=body)).json() == {"done": 1, "remaining": 0}


async def test_health_names_what_is_not_durable(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert any("appendonly" in each for each in answer.json()["degraded"])
