"""A notice goes out once through each channel, whatever fails on the way, and a crew does it by itself."""

import asyncio

import pytest

from backend._internal.background import background
from backend.adapters.notice import Notice
from backend.db.session import Database
from backend.domains.alerts.notices import send, tell
from backend.domains.alerts.watch import schedule_watch_for_trouble
from backend.errors import Unavailable
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.alerts.test_watch import die
from tests.doubles import Services
from tests.doubles import services as services
from tests.runtime.crew import ended, until

NOTICE = Notice("dead:x:1", "trouble.opened", "title", "text")


async def test_a_repeat_sends_nothing(sqlite_database: Database, services: Services) -> None:
    assert [await send("webhook", NOTICE) for _ in range(3)] == [True, False, False]
    assert [notice["id"] for notice in services.notices] == ["dead:x:1"]


async def test_one_that_does_not_arrive_is_owed(sqlite_database: Database, services: Services) -> None:
    services.webhook.answer_next(503, "down")
    with pytest.raises(Unavailable, match="address for notices answered 503"):
        await send("webhook", NOTICE)
    assert await send("webhook", NOTICE) is True


async def test_to_tell_is_part_of_the_callers_transaction(sqlite_database: Database, services: Services) -> None:
    async def fails() -> None:
        async with sqlite_database.unit():
            assert await tell(NOTICE) == ["webhook"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await runs.list_runs(RunFilter(), limit=10) == []


async def test_a_crew_finds_trouble_and_tells_of_it(
    sqlite_url: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=None, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3"
    )
    for restart in range(2):
        async with background(get_settings(), "worker"):
            if not restart:
                await die()
            receipt = await schedule_watch_for_trouble()
            assert (await ended(receipt.id)).result == {"open": 1, "told": int(not restart), "resolved": 0}
            await until(lambda: len(services.notices) == 1)
    await asyncio.sleep(0)
    (notice,) = services.notices
    assert (notice["event"], notice["subject"]) == ("trouble.opened", "dead:transcode_version")
