"""A small server that speaks as a Jetstream does: what it is told it tells others, from their cursor on, if they want it.

And frames as a firehose sends them, for what the real one does not say when it is wanted.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import libipld
from websockets.asyncio.server import ServerConnection, serve


class Jetstream:
    """`tell` adds an event, and `url` is where it is heard. `asked` is the query of each listener."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, list[str]]] = []
        self._events: list[dict[str, Any]] = []
        self._more = asyncio.Condition()
        self._began_us = int(time.time() * 1e6)

    async def tell(self, about: str, what: str, **body: object) -> int:
        """Something happened. Returns its cursor, which is a time in microseconds."""
        async with self._more:
            time_us = self._began_us + 1_000 * len(self._events)
            self._events.append({"did": about, "time_us": time_us, "kind": what, what: body})
            self._more.notify_all()
        return time_us

    async def wrote(self, uri: str, cid: str, record: dict[str, Any], operation: str = "create") -> int:
        """Somebody wrote a record."""
        _, _, did, collection, rkey = uri.split("/")
        place = {"rev": "3l3qo2vutsw2b", "operation": operation, "collection": collection, "rkey": rkey}
        return await self.tell(did, "commit", **place, record=record, cid=cid)

    async def deleted(self, uri: str) -> int:
        """Somebody deleted a record."""
        _, _, did, collection, rkey = uri.split("/")
        return await self.tell(did, "commit", rev="3l3qo2vutsw2b", operation="delete", collection=collection, rkey=rkey)

    async def serve(self, connection: ServerConnection) -> None:
        """One listener, to its end."""
        assert connection.request
        query = parse_qs(urlsplit(connection.request.path).query)
        self.asked.append(query)
        feeding = asyncio.create_task(self._feed(connection, query))
        await connection.wait_closed()
        feeding.cancel()

    async def _feed(self, connection: ServerConnection, query: dict[str, list[str]]) -> None:
        cursor, sent = int(query["cursor"][0]), 0
        while True:
            async with self._more:
                while len(self._events) <= sent:
                    await self._more.wait()
                new, sent = self._events[sent:], len(self._events)
            for event in new:
                wanted = event["kind"] != "commit" or event["commit"].get("collection") in query["wantedCollections"]
                if wanted and event["time_us"] >= cursor:
                    await connection.send(json.dumps(event))


@asynccontextmanager
async def jetstream() -> AsyncIterator[Jetstream]:
    """The server, in this very loop, until the block ends."""
    made = Jetstream()
    async with serve(made.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{port}/subscribe"
        yield made


def frame(kind: str, op: int = 1, **body: Any) -> bytes:
    """A frame of a firehose."""
    return bytes(libipld.encode_dag_cbor({"op": op, "t": kind})) + bytes(libipld.encode_dag_cbor(body))
