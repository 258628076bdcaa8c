"""The stream is read as both kinds of sources write it, and what cannot be read is left out."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.adapters.stream import (
    KEPT_US,
    REWIND_US,
    CursorAhead,
    Event,
    Stream,
    Write,
    open_stream,
    parse_firehose,
    parse_jetstream,
)
from backend.errors import Unavailable
from tests.network.jetstream import frame, jetstream

LIKE, POST = "fm.backline.like", "app.bsky.feed.post"
CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
RECORD = {"$type": LIKE, "createdAt": "2026-11-23T09:14:03.250Z"}
AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
ALICE = "did:plc:alice"


def _frame(kind: str, op: int = 1, **body: Any) -> bytes:
    return frame(kind, op, **{"seq": 7, "time": "2026-11-28T12:00:00.000Z", **body})


def test_what_a_firehose_says_besides_writes() -> None:
    assert parse_firehose(_frame("#account", did=ALICE, active=False), [LIKE]) == Event(7, AT, about=ALICE)
    assert parse_firehose(_frame("#identity", did=ALICE), [LIKE]) == Event(7, AT, about=ALICE)
    assert parse_firehose(_frame("#sync", did=ALICE, blocks=b"", rev="1"), [LIKE]) == Event(7, AT)
    assert parse_firehose(_frame("#something new"), [LIKE]) == Event(7, AT)
    assert parse_firehose(_frame("#info", name="OutdatedCursor"), [LIKE]) == Event(missed=True)
    assert parse_firehose(_frame("#info", name="Hello"), [LIKE]) == Event()


def test_a_firehose_that_ends() -> None:
    with pytest.raises(CursorAhead, match="FutureCursor"):
        parse_firehose(_frame("", -1, error="FutureCursor"), [LIKE])
    with pytest.raises(Unavailable, match="ConsumerTooSlow"):
        parse_firehose(_frame("", -1, error="ConsumerTooSlow"), [LIKE])


def test_writes_of_a_firehose_that_are_not_ours_or_did_not_come_along() -> None:
    ops = [
        {"action": "create", "path": f"{POST}/1", "cid": None},
        {"action": "delete", "path": f"{LIKE}/2", "cid": None},
    ]
    found = parse_firehose(_frame("#commit", repo=ALICE, ops=ops, blocks=b"", tooBig=True), [LIKE])
    assert found == Event(7, AT, writes=(Write(ALICE, LIKE, "2", None),))
    assert found.writes[0].uri == f"at://{ALICE}/{LIKE}/2"


async def test_a_jetstream_is_asked_for_our_collections_from_a_little_before_the_cursor_on() -> None:
    async with jetstream() as source:
        early = await source.wrote(f"at://{ALICE}/{LIKE}/1", CID, RECORD)
        await source.wrote(f"at://{ALICE}/{POST}/2", CID, RECORD)
        cursor = await source.wrote(f"at://{ALICE}/{LIKE}/3", CID, RECORD)
        async with open_stream(source.url, cursor + REWIND_US, [LIKE]) as stream:
            await source.deleted(f"at://{ALICE}/{LIKE}/1")
            last = await source.tell(ALICE, "account", active=False, did=ALICE, status="deactivated")
            found = await _until(stream, last)
    assert source.asked == [{"cursor": [str(cursor)], "wantedCollections": [LIKE]}]
    assert early < cursor
    assert [event.writes for event in found] == [
        (Write(ALICE, LIKE, "3", CID, RECORD),), (Write(ALICE, LIKE, "1", None),), (),
    ]  # fmt: skip
    assert [event.about for event in found] == [None, None, ALICE]


async def test_a_jetstream_that_cannot_have_kept_all() -> None:
    async with jetstream() as source:
        last = await source.wrote(f"at://{ALICE}/{LIKE}/1", CID, RECORD)
        for cursor, missed in ((0, False), (int(time.time() * 1e6), False), (last - 40 * KEPT_US, True)):
            async with open_stream(source.url, cursor, [LIKE]) as stream:
                found = await stream.take(10, 0.5)
            assert (Event(missed=True) in found) == missed


async def _until(stream: Stream, cursor: int) -> list[Event]:
    found: list[Event] = []
    while not found or found[-1].cursor < cursor:
        found += await stream.take(10, 2)
    return found


async def test_what_cannot_be_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async with jetstream() as source:
        await source.tell(ALICE, "commit", operation="create")
        await source.tell(ALICE, "commit", collection=LIKE, operation="update")
        last = await source.tell(ALICE, "identity")
        async with open_stream(source.url, 0, [LIKE]) as stream:
            found: list[Event] = []
            while not found:
                found = await stream.take(10, 2)
    assert [event.cursor for event in found] == [last]
    assert "cannot be read" in caplog.text


def test_no_bytes_make_more_than_a_readable_error() -> None:
    for junk in (b"", b"\x00", b"{}", _frame("#commit"), _frame("#account")[:-3], b"\xff" * 40):
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
            parse_firehose(junk, [LIKE])
    for text in ("", "[]", "{}", "null", '{"time_us": 1, "did": 2, "kind": "commit"}'):
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
            parse_jetstream(text, [LIKE])


async def test_nobody_there() -> None:
    with pytest.raises(Unavailable, match="cannot be listened to"):
        async with open_stream("ws://127.0.0.1:1/subscribe", 0, [LIKE]):
            pass
