"""Dead runs over HTTP."""

import httpx
import pytest

from tests.api.following import ended
from tests.api.room import schedule_api_die


async def kill(api: httpx.AsyncClient, *reasons: str) -> list[str]:
    receipts = [await schedule_api_die(reason) for reason in reasons]
    return [(await ended(api, receipt.id))["id"] for receipt in receipts]


async def test_lists_and_pages_what_died(api: httpx.AsyncClient) -> None:
    made = await kill(api, "a", "b", "c")
    first = (await api.get("/dead?limit=2")).json()
    assert [run["id"] for run in first["items"]] == made[:0:-1]
    second = (await api.get(first["next"])).json()
    assert ([run["id"] for run in second["items"]], second["next"]) == (made[:1], None)
    assert [run["id"] for run in (await api.get("/dead?text=cannot: b")).json()["items"]] == [made[1]]


async def test_a_page_is_bounded_by_the_settings(api: httpx.AsyncClient) -> None:
    response = await api.get("/dead?limit=11")
    assert (response.status_code, response.json()["field"]) == (422, "limit")


async def test_groups_what_died_alike(api: httpx.AsyncClient) -> None:
    await kill(api, "x 17", "x 18")
    [group] = (await api.get("/dead/groups")).json()
    assert (group["task"], group["count"], group["error_type"]) == ("api_die", 2, "InvalidInput")


async def test_requeues_by_id_and_by_filter(api: httpx.AsyncClient) -> None:
    first, second, third = await kill(api, "a", "b", "c")
    response = await api.post("/dead/requeue", json={"ids": [first]})
    assert (response.status_code, response.json()["done"]) == (200, 1)
    assert len((await ended(api, first))["attempts"]) == 2
    response = await api.post("/dead/requeue", json={"filter": {"text": "cannot"}})
    assert response.json()["done"] == 3
    for run in (second, third):
        assert len((await ended(api, run))["attempts"]) == 2


async def test_purges_by_id_and_all(api: httpx.AsyncClient) -> None:
    first, second, _ = await kill(api, "a", "b", "c")
    assert (await api.post("/dead/purge", json={"ids": [first, second]})).json() == {"done": 2, "remaining": 0}
    assert (await api.get(f"/runs/{first}")).status_code == 404
    assert (await api.post("/dead/purge", json={"filter": {}})).json() == {"done": 1, "remaining": 0}
    assert (await api.get("/dead")).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"ids": ["a"], "filter": {}}, "body"),
        ({"ids": []}, "ids"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"filter": {"created_after": "soon"}}, "filter.created_after"),
    ],
)
@pytest.mark.parametrize("action", ["requeue", "purge"])
async def test_a_wrong_selection_touches_nothing(
    api: httpx.AsyncClient, action: str, body: dict[str, object], field: str
) -> None:
    [run] = await kill(api, "a")
    response = await api.post(f"/dead/{action}", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert (await api.get(f"/runs/{run}")).json()["state"] == "dead"
