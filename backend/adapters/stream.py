"""The network's stream of events, from a server's or relay's firehose or from a Jetstream: which of them, the URL says.

https://atproto.com/specs/sync and https://github.com/bluesky-social/jetstream
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import libipld
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from backend.errors import Unavailable

FIREHOSE = "/xrpc/com.atproto.sync.subscribeRepos"
JETSTREAM = "/subscribe"
MESSAGE_BYTES = 5_000_000  # the protocol's own limit for a frame
CLOSE_S = 2.0
REWIND_US = 5_000_000  # a Jetstream's cursor is a time, and the clocks of its servers differ
KEPT_US = 24 * 3600 * 1_000_000  # a Jetstream keeps a day or two, and does not say when that is not enough
LINK = b"\x01"  # how the bytes of a CID begin, of version 1

logger = logging.getLogger(__name__)


class CursorAhead(Unavailable):
    """The source has not come as far as our cursor: it is not the one that it was."""


@dataclass(frozen=True)
class Write:
    """What happened to one record. Without `cid` it is gone; `record` is null too where it did not come along."""

    did: str
    collection: str
    rkey: str
    cid: str | None
    record: dict[str, Any] | None = None

    @property
    def uri(self) -> str:
        """The record's address."""
        return f"at://{self.did}/{self.collection}/{self.rkey}"


@dataclass(frozen=True)
class Event:
    """One event. `cursor` leads to what follows it. `about` is the account whose status or handle may have changed.

    `missed`: the source has not kept all that we asked for.
    """

    cursor: int = 0
    at: datetime | None = None
    writes: tuple[Write, ...] = ()
    about: str | None = None
    missed: bool = False


Parse = Callable[[str | bytes, Collection[str]], Event | None]


class Stream:
    """An open stream. Get one with `open_stream`."""

    def __init__(
        self, connection: ClientConnection, parse: Parse, collections: Collection[str], missed: bool = False
    ) -> None:
        self._connection = connection
        self._parse = parse
        self._collections = collections
        self._first = [Event(missed=True)] if missed else []

    async def take(self, most: int, patience_s: float) -> list[Event]:
        """What came within this time, oldest first, at most so many. Raises Unavailable when the stream has ended.

        A message that cannot be read is logged and left out: it will not be better the next time.
        """
        taken, self._first = self._first, []
        try:
            async with asyncio.timeout(patience_s):
                while len(taken) < most:
                    event = self._read(await self._connection.recv())
                    if event is not None:
                        taken.append(event)
        except TimeoutError:
            pass
        except WebSocketException as error:
            if not taken:
                raise Unavailable(f"the stream ended: {error}") from None
        return taken

    def _read(self, message: str | bytes) -> Event | None:
        try:
            return self._parse(message, self._collections)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("a message of the stream cannot be read: %s: %s", type(error).__name__, str(error)[:200])
            return None


@asynccontextmanager
async def open_stream(url: str, cursor: int, collections: Collection[str]) -> AsyncIterator[Stream]:
    """Listen from this cursor on, 0 being the oldest that the source has. Raises Unavailable when it cannot be reached."""
    asked: dict[str, list[object]] = {"cursor": [cursor]}
    parse, missed = parse_firehose, False
    if urlsplit(url).path.endswith(JETSTREAM):
        asked = {"cursor": [max(cursor - REWIND_US, 0)], "wantedCollections": list(collections)}
        parse, missed = parse_jetstream, 0 < cursor < time.time() * 1e6 - KEPT_US
    try:
        connecting = connect(
            f"{url}?{urlencode(asked, doseq=True)}", max_size=MESSAGE_BYTES, close_timeout=CLOSE_S, proxy=None
        )
        connection = await connecting
    except (WebSocketException, OSError, TimeoutError) as error:
        raise Unavailable(f"{urlsplit(url).hostname} cannot be listened to: {error or type(error).__name__}") from None
    try:
        yield Stream(connection, parse, collections, missed)
    finally:
        await connection.close()


def parse_firehose(message: str | bytes, collections: Collection[str]) -> Event | None:
    """A frame of `com.atproto.sync.subscribeRepos`. Raises CursorAhead, Unavailable, and ValueError and such."""
    header, body = libipld.decode_dag_cbor_multi(message)
    if header["op"] != 1:
        error = CursorAhead if body.get("error") == "FutureCursor" else Unavailable
        raise error(f"the source ends the stream: {str(body.get('error'))[:100]}")
    if header["t"] == "#info":
        return Event(missed=body.get("name") == "OutdatedCursor")
    event = Event(int(body["seq"]), datetime.fromisoformat(body["time"]))
    match header["t"]:
        case "#commit":
            return Event(event.cursor, event.at, writes=_of_commit(body, collections))
        case "#identity" | "#account":
            return Event(event.cursor, event.at, about=str(body["did"]))
    return event


def _of_commit(body: dict[str, Any], collections: Collection[str]) -> tuple[Write, ...]:
    ops = [op for op in body["ops"] if op["path"].partition("/")[0] in collections]
    if not ops:
        return ()
    blocks = libipld.decode_car(body["blocks"])[1] if body["blocks"] else {}
    writes = []
    for op in ops:
        collection, _, rkey = op["path"].partition("/")
        cid = op["cid"] if op["action"] != "delete" else None
        record = _as_json(blocks.get(cid)) if cid else None
        writes.append(Write(str(body["repo"]), collection, rkey, libipld.encode_cid(cid) if cid else None, record))
    return tuple(writes)


def _as_json(value: Any) -> Any:
    """A value of DAG-CBOR as JSON writes it: https://atproto.com/specs/data-model. Our lexicons know no bytes but links."""
    match value:
        case dict():
            return {name: _as_json(inner) for name, inner in value.items()}
        case list():
            return [_as_json(inner) for inner in value]
        case bytes():
            return {"$link": libipld.encode_cid(value)} if value.startswith(LINK) else {"$bytes": value.hex()}
    return value


def parse_jetstream(message: str | bytes, collections: Collection[str]) -> Event | None:
    """A message of a Jetstream. Raises ValueError and such when it is none."""
    body = json.loads(message)
    cursor, did, kind = int(body["time_us"]), str(body["did"]), body["kind"]
    at = datetime.fromtimestamp(cursor / 1e6, UTC)
    if kind in ("identity", "account"):
        return Event(cursor, at, about=did)
    done = body[kind]  # what it is about stands under its kind
    collection, gone = done["collection"], done["operation"] == "delete"
    if collection not in collections:
        return Event(cursor, at)
    cid = None if gone else str(done["cid"])
    return Event(cursor, at, writes=(Write(did, collection, str(done["rkey"]), cid, done.get("record")),))
