"""Feeds: loaded once for all who look, less often when slow, not at all when nobody looks, and honest when it fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from markupsafe import Markup

from backend.dashboard.feeds import Feed, Fragments, close_feeds, feed
from backend.errors import Unavailable


class Source:
    """What a feed loads: a number that goes up with every load."""

    def __init__(self) -> None:
        self.loads = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Fragments:
        await self.gate.wait()
        self.loads += 1
        if self.away:
            raise Unavailable("the database is away")
        return {"number": Markup(str(self.loads))}


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    yield Source()
    await close_feeds()


async def test_fifty_tabs_are_one_load(source: Source) -> None:
    shared = [feed("board", source.load, 60) for _ in range(50)]
    assert len(set(map(id, shared))) == 1
    source.gate.clear()
    asked = [asyncio.create_task(each.fragments()) for each in shared]
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*asked) == [{"number": "1"}] * 50
    told: asyncio.Queue[str] = asyncio.Queue()
    leaves = [each.listen(lambda parts, trouble: told.put_nowait(parts["number"])) for each in shared]
    assert [await told.get() for _ in shared] == ["1"] * 50
    assert source.loads == 1
    await shared[0].refresh()
    assert [told.get_nowait() for _ in shared] == ["2"] * 50
    assert (source.loads, told.empty()) == (2, True)
    for leave in leaves:
        leave()


async def test_nothing_is_loaded_once_nobody_looks(source: Source) -> None:
    watched = Feed(source.load, 0.01)
    seen = asyncio.Event()
    leave = watched.listen(lambda parts, trouble: seen.set() if source.loads > 3 else None)
    await asyncio.wait_for(seen.wait(), 10)
    leave()
    await asyncio.wait_for(asyncio.shield(watched._task), 10)  # it ends by itself
    loads = source.loads
    await asyncio.sleep(0.1)
    assert source.loads == loads


async def test_trouble_is_told_with_the_last_that_was_seen_and_passes(source: Source) -> None:
    watched = Feed(source.load, 0.01)
    told: asyncio.Queue[tuple[Fragments, str | None]] = asyncio.Queue()
    leave = watched.listen(lambda parts, trouble: told.put_nowait((parts, trouble)))

    async def until(trouble: str | None) -> Fragments:
        while (latest := await told.get())[1] != trouble:
            pass
        return latest[0]

    first = await asyncio.wait_for(until(None), 10)
    source.away = True
    assert (await asyncio.wait_for(until("the database is away"), 10)).keys() == first.keys()
    source.away = False
    await asyncio.wait_for(until(None), 10)
    leave()
    await watched.close()


async def test_a_slow_feed_is_loaded_less_often(source: Source) -> None:
    async def slow() -> Fragments:
        await asyncio.sleep(0.05)
        return await source.load()

    watched = Feed(slow, 0.001)
    leave = watched.listen(lambda parts, trouble: None)
    await asyncio.sleep(0.4)
    assert source.loads == 1  # a tenth of the time: the next one is half a second later
    leave()
    await watched.close()


async def test_feeds_that_nobody_wants_are_forgotten(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.dashboard import feeds

    monkeypatch.setattr(feeds, "UNUSED_S", 0.0)
    for number in range(100):
        await feed(("runs", number), source.load).fragments()
    assert len(feeds._feeds) <= 2
