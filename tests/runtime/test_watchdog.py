"""A blocked event loop is noticed while it is blocked."""

import asyncio
import logging
import time

import pytest

from backend.runtime.watchdog import LoopWatchdog
from tests.runtime.crew import until


async def test_a_block_is_reported_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = LoopWatchdog(block_s=0.2)
    watchdog.start()
    await asyncio.sleep(0.15)
    with caplog.at_level(logging.ERROR):
        time.sleep(0.7)  # noqa: ASYNC251
        await until(lambda: watchdog.blocked_s > 0.4)
    watchdog.stop()
    assert watchdog.blocked_at is not None
    assert watchdog.blocked_s < 2
    assert "time.sleep(0.7)" in caplog.text
    assert watchdog.take_lag() > 400
    assert watchdog.take_lag() == 0


async def test_a_loop_that_breathes_is_not_reported() -> None:
    watchdog = LoopWatchdog(block_s=0.5)
    watchdog.start()
    await asyncio.sleep(0.5)
    watchdog.stop()
    assert watchdog.blocked_at is None


async def test_stop_before_start_is_nothing() -> None:
    LoopWatchdog(block_s=1).stop()
