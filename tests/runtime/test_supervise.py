"""Loops that die are noticed, logged, and started again."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from backend.runtime import supervise
from backend.runtime.retry import Retry
from backend.runtime.supervise import Supervised
from tests.runtime.crew import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "BACKOFF", Retry(base=0.01, cap=0.05))
    monkeypatch.setattr(supervise, "RESTART_PATIENCE_S", 0.1)


@pytest.fixture
async def stops() -> AsyncIterator[list[Supervised]]:
    loops: list[Supervised] = []
    yield loops
    for loop in loops:
        await loop.stop(0.2)


async def test_a_loop_that_dies_is_logged_and_started_again(
    stops: list[Supervised], caplog: pytest.LogCaptureFixture
) -> None:
    lives = 0

    async def fragile() -> None:
        nonlocal lives
        lives += 1
        if lives < 3:
            raise OSError(f"life {lives}")
        await asyncio.Event().wait()

    loop = Supervised("fragile", fragile)
    stops.append(loop)
    assert not loop.alive
    with caplog.at_level(logging.ERROR):
        loop.start()
        await until(lambda: lives == 3 and loop.alive)
    assert loop.restarts == 2
    assert loop.last_error == "OSError: life 2"
    assert "fragile died: OSError: life 1" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_loop_that_just_ends_has_died(stops: list[Supervised]) -> None:
    async def short() -> None: ...

    loop = Supervised("short", short)
    stops.append(loop)
    loop.start()
    await until(lambda: loop.restarts > 1)
    assert loop.last_error == "RuntimeError: short ended by itself"


async def test_a_loop_that_cancels_itself_is_started_again(stops: list[Supervised]) -> None:
    async def quitter() -> None:
        raise asyncio.CancelledError

    loop = Supervised("quitter", quitter)
    stops.append(loop)
    loop.start()
    await until(lambda: loop.restarts > 1)


async def test_restart_ends_a_loop_that_lingers(stops: list[Supervised]) -> None:
    lives = 0

    async def lingering() -> None:
        nonlocal lives
        lives += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(60)  # as docket does, while it drains

    loop = Supervised("lingering", lingering)
    stops.append(loop)
    loop.start()
    await until(lambda: lives == 1)
    loop.restart("no canary came back")
    assert loop.last_error == "no canary came back"
    await until(lambda: lives == 2 and loop.alive, within=2)


async def test_stop_ends_a_loop_that_lingers() -> None:
    ended = asyncio.Event()

    async def lingering() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

    loop = Supervised("lingering", lingering)
    loop.start()
    await until(lambda: loop.alive)
    await loop.stop(0.1)
    assert ended.is_set()
    assert not loop.alive


async def test_stop_before_start_is_nothing() -> None:
    await Supervised("never", asyncio.Event().wait).stop()  # type: ignore[arg-type]
