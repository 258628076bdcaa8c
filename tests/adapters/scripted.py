"""A server that says what a test wants it to say, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Script = Callable[[str], bytes | None]


@dataclass
class Scripted:
    """A running server: its port, and the heads of the requests it got."""

    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [head.split(" ")[1] for head in self.requests]


@asynccontextmanager
async def scripted(script: Script | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """A server that answers each request with what `script` makes of its path. None: it says nothing, and waits."""
    server, open_ended = Scripted(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            server.requests.append(head)
            answer = script if isinstance(script, bytes) else script(head.split(" ")[1])
            if answer is None:
                await open_ended.wait()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        open_ended.set()
        listener.close()
        await listener.wait_closed()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer. Header names are written with underscores."""
    lines = {"Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body
