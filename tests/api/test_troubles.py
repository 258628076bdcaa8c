"""Open troubles over HTTP."""

import httpx

from backend.domains.alerts.watch import watch
from tests.api.following import ended
from tests.api.room import schedule_api_die


async def test_shows_what_the_watch_found(api: httpx.AsyncClient) -> None:
    assert (await api.get("/troubles")).json() == []
    await ended(api, (await schedule_api_die()).id)
    await watch()
    (trouble,) = (await api.get("/troubles")).json()
    assert trouble["subject"] == "dead:api_die"
    assert trouble["text"].startswith("1 run of api_die died")
