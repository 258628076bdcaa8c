"""Fifty tabs on one process: each is told by the server, and memory stays bounded."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import psutil
import pytest

from tests.dashboard.conftest import DeskServer
from tests.dashboard.tabs import ROOMS, tab

pytestmark = pytest.mark.timeout(280)
TABS = 50
GROWTH_MB = 60.0


async def test_fifty_tabs_are_told_and_cost_little(server: DeskServer) -> None:
    process = psutil.Process(server.pid)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        async with tab(client, "queues"):  # what is loaded once is there
            pass
        before = process.memory_info().rss
        async with AsyncExitStack() as opened:
            tabs = [await opened.enter_async_context(tab(client, ROOMS[at % len(ROOMS)])) for at in range(TABS)]
            for each in tabs:
                each.arrived.clear()
            (await client.post("/queues/marketplace/pause")).raise_for_status()
            queues = [each for at, each in enumerate(tabs) if ROOMS[at % len(ROOMS)] == "queues"]
            async with asyncio.timeout(20):
                await asyncio.gather(*(each.arrived.wait() for each in queues))
            assert all("marketplace is paused" in each.seen for each in queues)
            grown = (process.memory_info().rss - before) / 1e6
        assert grown < GROWTH_MB
