"""Runs over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from backend.runtime.runner import current_runner
from tests.api.following import ended, events, in_state
from tests.api.room import open_gate, schedule_api_die, schedule_api_note, schedule_api_wait


async def test_shows_a_run_with_its_attempts(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_note("la", times=2)
    run = await ended(api, receipt.id)
    assert (run["state"], run["result"], run["args"]) == ("succeeded", {"text": "lala"}, {"text": "la", "times": 2})
    assert run["progress"]["percent"] == 100
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["succeeded"]


async def test_pages_run_through_all_and_through_none_twice(api: httpx.AsyncClient) -> None:
    made = [(await schedule_api_note(f"page {number}")).id for number in range(7)]
    seen, path = [], "/runs?limit=3&task=api_note&state=succeeded&state=waiting&state=queued&state=running"
    while path:
        body = (await api.get(path)).json()
        assert len(body["items"]) <= 3
        # What arrives meanwhile stands before the first page.
        await schedule_api_note(f"later {len(seen)}")
        seen += [run["id"] for run in body["items"]]
        path = body["next"]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"task": "api_die"}, 1),
        ({"queue": "curation"}, 3),
        ({"queue": "media"}, 0),
        ({"key": "note:b"}, 1),
        ({"text": "NOT SO"}, 1),
        ({"state": ["dead"]}, 1),
        ({"state": ["dead", "succeeded"]}, 3),
        ({"created_after": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, 0),
        ({"created_before": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, 3),
        ({"task": "api_die", "queue": "media"}, 0),
    ],
)
async def test_every_filter_filters(api: httpx.AsyncClient, query: dict[str, str], count: int) -> None:
    for receipt in [await schedule_api_note("a"), await schedule_api_note("b"), await schedule_api_die("not so")]:
        await ended(api, receipt.id)
    assert len((await api.get("/runs", params=query)).json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=999", "limit"),
        ("state=lost", "state"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("cursor=x", "cursor"),
        ("colour=red", "colour"),
    ],
)
async def test_a_wrong_query_names_its_field(api: httpx.AsyncClient, query: str, field: str) -> None:
    response = await api.get(f"/runs?{query}")
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize("path", ["", "/stream"])
async def test_an_unknown_run_is_not_found(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(f"/runs/0192a6b1-7c1e-7d2f-8a3b-4c5d6e7f8091{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:backline:problem:unknown-run"


async def test_cancels_a_running_run_once(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_wait()
    await in_state(api, receipt.id, "running")
    assert (await api.post(f"/runs/{receipt.id}/cancel")).status_code == 200
    assert (await ended(api, receipt.id))["state"] == "cancelled"
    again = await api.post(f"/runs/{receipt.id}/cancel")
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    assert "cancelled already" in again.json()["detail"]


async def test_requeues_as_it_was_and_with_other_arguments(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_note("x")
    await ended(api, receipt.id)
    response = await api.post(f"/runs/{receipt.id}/requeue")
    assert (response.status_code, response.json()["state"]) == (200, "waiting")
    await ended(api, receipt.id)
    await api.post(f"/runs/{receipt.id}/requeue", json={"args": {"text": "y"}})
    run = await ended(api, receipt.id)
    assert (run["result"], run["key"]) == ({"text": "y"}, "note:y")
    assert len(run["attempts"]) == 3
    assert run["attempts"][1]["args"] == {"text": "x", "times": 1}


async def test_requeue_refuses_what_the_task_does_not_take(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_note("x")
    before = await ended(api, receipt.id)
    response = await api.post(f"/runs/{receipt.id}/requeue", json={"args": {"times": "many"}})
    assert (response.status_code, response.json()["field"]) == (422, "times")
    assert (await api.get(f"/runs/{receipt.id}")).json() == before


async def test_requeue_refuses_an_active_run(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_wait()
    response = await api.post(f"/runs/{receipt.id}/requeue")
    assert response.status_code == 409
    open_gate.set()
    await ended(api, receipt.id)


async def test_the_stream_tells_every_change_and_ends(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_wait()
    sent = []
    async with asyncio.timeout(20), api.stream("GET", f"/runs/{receipt.id}/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        async for each in events(response):
            sent.append(each)
            if each.comment:
                open_gate.set()
    told = [each for each in sent if each.event]
    assert [each.event for each in told][-2:] == ["state", "end"]
    assert "keep-alive" in [each.comment for each in sent]
    states = list(dict.fromkeys(each.data["state"] for each in told))
    assert states[-2:] == ["running", "succeeded"]
    percents = [each.data["progress"]["percent"] for each in told if each.event == "progress"]
    assert percents == sorted(percents)
    assert 25.0 in percents
    assert [int(each.id) for each in told] == sorted(int(each.id) for each in told)
    assert told[-1].data["result"] == "through"


async def test_the_stream_goes_on_after_the_last_event(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_wait()
    run = await in_state(api, receipt.id, "running")
    headers = {"Last-Event-ID": str(run["revision"])}
    sent = []
    async with asyncio.timeout(20), api.stream("GET", f"/runs/{receipt.id}/stream", headers=headers) as response:
        open_gate.set()
        sent = [each async for each in events(response) if each.event != "progress" and each.event]
    assert [(each.event, each.data["state"]) for each in sent] == [("state", "succeeded"), ("end", "succeeded")]


async def test_the_stream_of_an_ended_run_says_so_at_once(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_note("z")
    run = await ended(api, receipt.id)
    headers = {"Last-Event-ID": str(run["revision"])}
    async with asyncio.timeout(20), api.stream("GET", f"/runs/{receipt.id}/stream", headers=headers) as response:
        sent = [each async for each in events(response) if each.event]
    assert [(each.event, each.id) for each in sent] == [("end", str(run["revision"]))]


async def test_a_client_that_goes_away_leaves_nothing_behind(api: httpx.AsyncClient) -> None:
    receipt = await schedule_api_wait()
    runner = current_runner()
    assert runner is not None
    before = len(asyncio.all_tasks())
    async with api.stream("GET", f"/runs/{receipt.id}/stream") as response:
        async for each in events(response):
            if each.event == "progress":
                break
        assert runner.hub._watches
    async with asyncio.timeout(20):
        while runner.hub._watches or len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_stream_does_not_hold_up_a_stop(api: httpx.AsyncClient) -> None:
    # The fixture ends the server while this stream is still open: more than its patience would fail the test.
    receipt = await schedule_api_wait()
    request = api.build_request("GET", f"/runs/{receipt.id}/stream")
    response = await api.send(request, stream=True)
    assert response.status_code == 200
