"""Work in lanes: so much at a time, in order, and each piece for itself."""

import asyncio
from functools import partial

import pytest

from backend.domains.media.lanes import side_by_side


async def test_lanes_take_the_next_piece_when_they_are_free() -> None:
    events: list[str] = []

    async def work(name: str, seconds: float) -> str:
        events.append(f"{name} begins")
        await asyncio.sleep(seconds)
        events.append(f"{name} ends")
        return name.upper()

    pieces = {"long": 0.2, "short": 0.05, "last": 0.05}
    ends = await side_by_side(2, {name: partial(work, name, seconds) for name, seconds in pieces.items()})
    assert ends == {"long": "LONG", "short": "SHORT", "last": "LAST"}
    assert events == ["long begins", "short begins", "short ends", "last begins", "last ends", "long ends"]


async def test_an_error_stops_nothing_else() -> None:
    async def fail() -> None:
        raise KeyError("gone")

    ends = await side_by_side(1, {"bad": fail, "good": partial(asyncio.sleep, 0, "fine")})
    assert isinstance(ends["bad"], KeyError)
    assert ends["good"] == "fine"


async def test_cancelled_it_stops_all_and_waits() -> None:
    tidied: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            tidied.append(name)

    running = asyncio.create_task(side_by_side(2, {name: partial(work, name) for name in ("a", "b", "c")}))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tidied == ["a", "b"]
