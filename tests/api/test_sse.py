"""Event streams: the wire format, the pauses, the end, and that nothing stays behind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from backend.api.sse import encode, with_pauses


class Source:
    """Counts what was taken from it, and knows whether it was closed."""

    def __init__(self, pause: float = 0.0, count: int = 5, error: Exception | None = None) -> None:
        self.pause, self.count, self.error = pause, count, error
        self.given = 0
        self.closed = False

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            while self.given < self.count:
                await asyncio.sleep(self.pause)
                self.given += 1
                yield self.given
            if self.error:
                raise self.error
        finally:
            self.closed = True


def test_an_event_is_one_line_of_json_with_its_id() -> None:
    assert (
        encode("state", {"text": "two\nlines é"}, 7)
        == 'id: 7\nevent: state\ndata: {"text":"two\\nlines é"}\n\n'.encode()
    )
    assert encode("end", {}) == b"event: end\ndata: {}\n\n"


async def test_gives_everything_in_order_and_ends() -> None:
    source = Source()
    assert [item async for item in with_pauses(source.items(), 5, asyncio.Event())] == [1, 2, 3, 4, 5]
    assert source.closed


async def test_says_so_when_nothing_comes() -> None:
    source = Source(pause=0.25, count=1)
    items = [item async for item in with_pauses(source.items(), 0.1, asyncio.Event())]
    assert items == [None, None, 1]


async def test_ends_at_once_when_the_process_closes() -> None:
    source, closing = Source(pause=60), asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, closing.set)
    async with asyncio.timeout(2):
        assert [item async for item in with_pauses(source.items(), 30, closing)] == []
    assert source.closed


async def test_a_slow_reader_holds_the_source_back() -> None:
    source = Source(count=1000)
    async with aclosing(with_pauses(source.items(), 5, asyncio.Event())) as items:
        assert await anext(items) == 1
        await asyncio.sleep(0.1)
        assert source.given <= 3
    assert source.closed


async def test_an_error_of_the_source_arrives() -> None:
    source = Source(count=1, error=ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        assert [item async for item in with_pauses(source.items(), 5, asyncio.Event())] == [1]


async def test_a_reader_that_is_cancelled_closes_the_source() -> None:
    source = Source(pause=60)

    async def read() -> None:
        async with aclosing(with_pauses(source.items(), 30, asyncio.Event())) as items:
            await anext(items)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    before = len(asyncio.all_tasks())
    reading.cancel()
    await asyncio.wait({reading})
    assert source.closed
    assert len(asyncio.all_tasks()) < before


@pytest.mark.parametrize("pause", [0.0, 0.01])
@pytest.mark.parametrize("reading", [0.0, 0.02])
async def test_the_end_of_the_source_is_noticed_at_once(pause: float, reading: float) -> None:
    source, seen = Source(pause=pause, count=3), []
    async with asyncio.timeout(5):
        async for item in with_pauses(source.items(), 60, asyncio.Event()):
            # While the reader is busy the source comes to its end.
            await asyncio.sleep(reading)
            seen.append(item)
    assert seen == [1, 2, 3]
