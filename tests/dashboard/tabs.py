"""Tabs of the desk as browsers hold them, without drawing them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import socketio

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
