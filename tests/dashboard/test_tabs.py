"""Fifty tabs on one process: each is told by the server, memory stays bounded, and the rest of the process stays quick."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import quantiles
from uuid import uuid4

import httpx
import psutil
import pytest
import socketio

from tests.dashboard.conftest import DeskServer

pytestmark = pytest.mark.timeout(280)
TABS = 50
GROWTH_MB = 60.0
ROOMS = ("", "runs", "queues", "dead", "workers")


class Tab:
    """A page that is open, as a browser holds it, without drawing it."""

    def __init__(self) -> None:
        self.updates = 0
        self.seen = ""
        self.arrived = asyncio.Event()

    async def told(self, what: dict[str, object]) -> None:
        """New content for parts of the page."""
        self.updates += 1
        self.seen = str(what)
        self.arrived.set()


@asynccontextmanager
async def tab(client: httpx.AsyncClient, room: str) -> AsyncIterator[Tab]:
    """Open a page and its connection."""
    page = await client.get(f"/desk/{room}")
    client_id = re.search(r"client_id'?\"?: ?'?\"?([0-9a-f-]{36})", page.text)
    assert client_id, page.text[-3000:]
    opened, wire = Tab(), socketio.AsyncClient()
    wire.on("update", opened.told)
    query = f"client_id={client_id[1]}&next_message_id=0&implicit_handshake=true&document_id={uuid4()}&tab_id={uuid4()}&old_tab_id=null"
    await wire.connect(
        f"{client.base_url}?{query}", socketio_path="/desk/_nicegui_ws/socket.io", transports=["websocket"]
    )
    try:
        yield opened
    finally:
        await wire.disconnect()


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
            times = []
            for _ in range(200):
                began = time.monotonic()
                (await client.get("/health/live")).raise_for_status()
                times.append(time.monotonic() - began)
            grown = (process.memory_info().rss - before) / 1e6
        print(f"{grown:.1f} MB for {TABS} tabs, health at p99 {1000 * quantiles(times, n=100)[98]:.0f} ms")
        assert grown < GROWTH_MB
        assert quantiles(times, n=100)[98] < 0.25  # on a busy machine; it is a fraction of that on an idle one
