"""A proxy in front of the real PDS that fails on request: with a status, with silence, or by hanging up."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

PASSED_ON = {"authorization", "content-type", "accept", "dpop"}
PASSED_BACK = {"content-type", "dpop-nonce", "www-authenticate"}


@dataclass
class Fault:
    """What happens instead of an answer. `reached`: the PDS gets the request all the same, and only its answer is lost."""

    status: int | None = None  # None: no answer at all
    name: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    hold: asyncio.Event | None = (
        None  # the request goes through, but not before this is set; `reached`: only its answer
    )
    reached: bool = False
    then: Callable[[], object] | None = None  # called when the PDS has answered
    body: dict[str, object] | None = None  # instead of an error of that name


@dataclass
class FaultyPds:
    """A running proxy. `plan(method, fault, ...)` says what happens to the next calls of a method, in order."""

    upstream: str
    port: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    silence: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def plan(self, method: str, *faults: Fault) -> None:
        """The next calls of this method meet these faults; those after them go through."""
        self.faults.setdefault(method, []).extend(faults)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which carries one request."""
        try:
            verb, path, headers, body = await _request(reader)
            method = path.partition("?")[0].rpartition("/")[2]
            self._count(method, body)
            waiting = self.faults.get(method)
            fault = waiting.pop(0) if waiting else None
            answer = None
            if fault is not None and fault.hold is not None and not fault.reached:
                await fault.hold.wait()
            if fault is None or fault.reached or fault.hold is not None:
                answer = await self._pass_on(verb, path, headers, body)
            if fault is not None and fault.hold is not None:
                await fault.hold.wait()
            if fault is not None and fault.hold is None:
                answer = await self._spoil(fault)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        finally:
            writer.close()

    def _count(self, method: str, body: bytes) -> None:
        """Calls are counted by method, and those about one collection also by `method collection`."""
        self.calls[method] += 1
        if body.startswith(b"{") and isinstance(collection := json.loads(body).get("collection"), str):
            self.calls[f"{method} {collection}"] += 1

    async def _pass_on(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        kept = {name: value for name, value in headers.items() if name in PASSED_ON}
        async with httpx.AsyncClient(base_url=self.upstream, timeout=30) as client:
            said = await client.request(verb, path, headers=kept, content=body)
        back = {name: value for name, value in said.headers.items() if name in PASSED_BACK}
        return _answer(said.status_code, said.content, back)

    async def _spoil(self, fault: Fault) -> bytes | None:
        if fault.then is not None:
            fault.then()
        if fault.hang_up:
            return None
        if fault.status is None:
            await self.silence.wait()
            return None
        body = fault.body or {"error": fault.name, "message": "on request"}
        return _answer(fault.status, json.dumps(body).encode(), fault.headers)


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    verb, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return verb, path, headers, await reader.readexactly(int(headers.get("content-length", "0")))


def _answer(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    every = {**headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


@asynccontextmanager
async def faulty_pds(upstream: str, port: int = 0) -> AsyncIterator[FaultyPds]:
    """The proxy, in this very loop, until the block ends; port 0 takes a free one."""
    proxy = FaultyPds(upstream)
    listener = await asyncio.start_server(proxy.talk, "127.0.0.1", port)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.silence.set()
        listener.close()
        await listener.wait_closed()
