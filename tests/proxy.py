"""A cable between a client and a server that a test can pull and plug in again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.servers import free_port


class Cable:
    """A TCP proxy to a port of this machine. `pulled`, nothing gets through and nobody is let in."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.pulled = asyncio.Event()
        self._target = target
        self._trap: bytes | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def carries(self, connections: int) -> None:
        """Wait until so many connections are open."""
        async with asyncio.timeout(20):
            while len(self._open) < 2 * connections:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def pull_at(self, sign: bytes) -> None:
        """Pull the cable as soon as a client sends these bytes, before they get through."""
        self._trap = sign

    def pull(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._trap = None
        self.pulled.set()
        for writer in self._open:
            writer.transport.abort()

    def plug_in(self) -> None:
        """Let everybody through again."""
        self.pulled.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, to its end."""
        if self.pulled.is_set():
            writer.transport.abort()
            return
        upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        pair = {writer, downstream}
        self._open |= pair
        try:
            await asyncio.gather(self._pump(reader, downstream, True), self._pump(upstream, writer, False))
        finally:
            self._open -= pair
            for each in pair:
                each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, watched: bool) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(65536):
                if watched and self._trap is not None and self._trap in piece:
                    self.pull()
                    return
                target.write(piece)
                await target.drain()
        target.transport.abort()


@asynccontextmanager
async def cable(target: int) -> AsyncIterator[Cable]:
    """A cable to `target`, and a free port to reach it by."""
    made = Cable(target)
    async with await asyncio.start_server(made.carry, "127.0.0.1", made.port):
        yield made
