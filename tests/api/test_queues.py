"""Queues and tasks over HTTP."""

import asyncio

import httpx
import pytest

from tests.api.following import ended
from tests.api.room import schedule_api_note


async def view(api: httpx.AsyncClient, name: str) -> dict[str, object]:
    return next(queue for queue in (await api.get("/queues")).json() if queue["name"] == name)


@pytest.mark.parametrize("brake", ["/queues/curation", "/tasks/api_note"])
async def test_a_brake_holds_runs_until_it_is_released(api: httpx.AsyncClient, brake: str) -> None:
    assert (await api.post(f"{brake}/pause")).status_code == 204
    receipt = await schedule_api_note("held")
    await asyncio.sleep(0.5)
    assert (await api.get(f"/runs/{receipt.id}")).json()["state"] == "waiting"
    queue = await view(api, "curation")
    assert queue["waiting"] == 1
    assert (queue["paused"], queue["paused_tasks"]) in [(True, []), (False, ["api_note"])]
    assert (await api.post(f"{brake}/resume")).status_code == 204
    assert (await ended(api, receipt.id))["state"] == "succeeded"
    assert (await view(api, "curation"))["paused"] is False


@pytest.mark.parametrize(("path", "field"), [("/queues/nowhere", "queue"), ("/tasks/nothing", "task")])
@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_an_unknown_name_is_not_found(api: httpx.AsyncClient, path: str, field: str, action: str) -> None:
    response = await api.post(f"{path}/{action}")
    assert (response.status_code, response.json()["field"]) == (404, field)
