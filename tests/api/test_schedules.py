"""Schedules over HTTP."""

import httpx
import pytest

from tests.api.following import ended


async def view(api: httpx.AsyncClient) -> dict[str, object]:
    return next(each for each in (await api.get("/schedules")).json() if each["task"] == "api_tidy")


async def test_shows_what_is_declared(api: httpx.AsyncClient) -> None:
    shown = await view(api)
    assert (shown["declared"], shown["override"], shown["paused"], shown["known"]) == ("0 4 * * 0", None, False, True)
    assert shown["next_at"]


async def test_pauses_and_resumes(api: httpx.AsyncClient) -> None:
    assert (await api.post("/schedules/api_tidy/pause")).status_code == 204
    assert (await view(api))["paused"] is True
    assert (await api.post("/schedules/api_tidy/resume")).status_code == 204
    assert (await view(api))["paused"] is False


@pytest.mark.parametrize(("body", "result"), [(None, False), ({"args": {"deep": True}}, True)])
async def test_runs_now_with_its_own_arguments(api: httpx.AsyncClient, body: object, result: bool) -> None:
    response = await api.post("/schedules/api_tidy/run", json=body)
    assert response.status_code == 202
    assert response.json()["links"]["run"] == f"/runs/{response.json()['run_id']}"
    assert (await ended(api, response.json()["run_id"]))["result"] is result
    assert (await view(api))["last_state"] == "succeeded"


@pytest.mark.parametrize("spec", ["every 300", "30 2 * * 1", None])
async def test_changes_the_timing_and_goes_back(api: httpx.AsyncClient, spec: str | None) -> None:
    await api.put("/schedules/api_tidy/interval", json={"spec": "every 60"})
    assert (await api.put("/schedules/api_tidy/interval", json={"spec": spec})).status_code == 204
    assert (await view(api))["override"] == spec


@pytest.mark.parametrize("spec", ["every", "every 0", "every 5 weeks", "61 * * * *", "* * *", "0 0 31 2 *", ""])
async def test_an_unreadable_timing_changes_nothing(api: httpx.AsyncClient, spec: str) -> None:
    before = await view(api)
    response = await api.put("/schedules/api_tidy/interval", json={"spec": spec})
    assert (response.status_code, response.json()["title"]) == (422, "Invalid schedule")
    assert response.json()["field"]
    assert await view(api) == before


async def test_wrong_arguments_start_nothing(api: httpx.AsyncClient) -> None:
    response = await api.post("/schedules/api_tidy/run", json={"args": {"deep": "very"}})
    assert (response.status_code, response.json()["field"]) == (422, "deep")
    assert (await api.get("/runs?task=api_tidy")).json()["items"] == []


@pytest.mark.parametrize("action", ["pause", "resume", "run"])
async def test_an_unknown_schedule_is_not_found(api: httpx.AsyncClient, action: str) -> None:
    response = await api.post(f"/schedules/api_note/{action}")
    assert (response.status_code, response.json()["field"]) == (404, "task")
