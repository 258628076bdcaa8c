"""The stream is read on from where it was read to, by one at a time, whatever becomes of the source and of the reader."""

import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from websockets.asyncio.server import ServerConnection, serve

from backend._internal.background import background
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import PdsRecord
from backend.db.models.network import Reading
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.federation.comments import list_comments
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.likes import show_like
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.reading import how_far, read
from backend.errors import Conflict, Unavailable
from backend.runtime.schedules import run_now
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import alice_signs_in, ready_track
from tests.domains.federation.elsewhere import SINCE, OtherClient, heed_all, read_all
from tests.network.jetstream import frame, jetstream
from tests.network.server import NetworkServer
from tests.proxy import cable

WORKER = [sys.executable, "-m", "backend.worker"]


async def _reading() -> Reading:
    url = get_settings().federation.ingest_url
    assert url
    found = await how_far(url)
    assert found
    return found


async def _move_cursor(cursor: int) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Reading).values(cursor=cursor))


def _soon() -> datetime:
    return now() + timedelta(seconds=0.6)


async def test_reading_goes_on_where_it_was_and_nothing_is_taken_twice(
    listening: NetworkServer, track_id: str, bobs: OtherClient, database: Database
) -> None:
    track = await get_publication(track_id)
    await bobs.like(track)
    await bobs.comment(track, "first")
    await read_all(bobs)
    assert sorted(await heed_all()) == ["taken", "taken"]
    before = await _reading()
    # Nothing is read again that was kept.
    assert (await read(_soon()))["events"] == 0
    assert (await _reading()).cursor == before.cursor
    await bobs.comment(track, "second")
    await read_all(bobs)
    assert await heed_all() == ["taken"]
    # And if everything comes once more, as after a database from a backup, it is all here already.
    await _move_cursor(0)
    await read_all(bobs)
    assert (await _reading()).cursor > before.cursor
    assert set(await heed_all()) <= {"as it is here", "nothing to do"}
    assert (await show_like(listening.bob.did, track_id)).likes == 1
    assert [line.text for line in await list_comments(track_id)] == ["second", "first"]
    async with database.reading() as session:
        rows = await session.scalars(select(PdsRecord).where(PdsRecord.did == listening.bob.did))
        assert sorted(row.kind for row in rows) == [Kind.COMMENT, Kind.COMMENT, Kind.LIKE]


async def test_what_two_read_is_kept_by_one(
    listening: NetworkServer, track_id: str, bobs: OtherClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cable(listening.port) as line:
        set_environment(monkeypatch, INGEST_URL=listening.firehose_url.replace(str(listening.port), str(line.port)))
        await read_all(bobs)
        await heed_all()
        readers = [asyncio.create_task(read(now() + timedelta(seconds=20))) for _ in range(2)]
        await line.carries(2)
        await bobs.like(await get_publication(track_id))
        done, [other] = await asyncio.wait(readers, timeout=15, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Conflict, match="another one reads"):
        await done.pop()
    other.cancel()
    await asyncio.wait([other])
    async with database.reading() as session:
        assert len(list(await session.scalars(select(Run).where(Run.task == "heed_record")))) == 1
    await heed_all()
    assert (await show_like(listening.bob.did, track_id)).likes == 1


async def test_a_source_that_is_away(
    listening: NetworkServer, track_id: str, bobs: OtherClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cable(listening.port) as line:
        set_environment(monkeypatch, INGEST_URL=listening.firehose_url.replace(str(listening.port), str(line.port)))
        await read_all(bobs)
        reading = asyncio.create_task(read(now() + timedelta(seconds=30)))
        await line.carries(1)
        line.pull()
        with pytest.raises(Unavailable, match="the stream ended"):
            await reading
        with pytest.raises(Unavailable, match="cannot be listened to"):
            await read(_soon())
        await bobs.like(await get_publication(track_id))
        line.plug_in()
        await read_all(bobs)
    assert "taken" in await heed_all()
    assert (await show_like(listening.bob.did, track_id)).likes == 1


async def test_a_source_that_begins_anew(
    listening: NetworkServer, track_id: str, bobs: OtherClient, caplog: pytest.LogCaptureFixture
) -> None:
    await read_all(bobs)
    await _move_cursor(10**9)
    with pytest.raises(Unavailable, match="FutureCursor"):
        await read(_soon())
    assert "read again" in caplog.text
    assert (await _reading()).missed_at is not None
    await read_all(bobs)
    assert 0 < (await _reading()).cursor < 10**9


async def test_a_jetstream_only_says_where_to_look(
    listening: NetworkServer, track_id: str, bobs: OtherClient, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    bob, track = listening.bob.did, await get_publication(track_id)
    subject, cid = {"uri": track.uri, "cid": track.cid}, "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
    record = {"$type": "fm.backline.like", "subject": subject, "createdAt": SINCE}
    async with jetstream() as source:
        set_environment(monkeypatch, INGEST_URL=source.url)
        uri = await bobs.like(track)
        await source.wrote(uri, cid, record)
        assert (await read(_soon()))["taken up"] == 1
        assert await heed_all() == ["taken"]
        # What nobody did, nobody did here.
        await source.wrote(f"at://{listening.alice.did}/fm.backline.like/3l3qo2vuowo2b", cid, record)
        await source.deleted(uri)
        await source.deleted(track.uri)
        await source.tell(bob, "account", active=False, did=bob, status="deleted", seq=1)
        last = await source.wrote(f"at://{bob}/app.bsky.feed.post/3l3qo2vuowo2b", cid, record)
        await source.tell(bob, "identity", did=bob)
        counts = await read(_soon())
        # The event at the cursor comes once more.
        assert (counts["changed"], counts["taken up"], counts["accounts"]) == (3, 1, 1)
        assert sorted(await heed_all()) == ["as it is here", "as it is here", "nothing to do"]
        assert await heed_all("heed_account") == ["active"]
        assert (await _reading()).cursor == last + 1000
    liked = await show_like(bob, track_id)
    assert liked.record is not None
    assert (liked.likes, liked.record.uri) == (1, uri)


async def test_a_source_that_has_not_kept_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(connection: ServerConnection) -> None:
        await connection.send(frame("#info", name="OutdatedCursor"))
        await connection.send(frame("#identity", seq=7, time="2026-11-28T12:00:00.000Z", did="did:plc:alice"))
        await connection.wait_closed()

    async with serve(forgetful, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        set_environment(monkeypatch, INGEST_URL=f"ws://127.0.0.1:{port}/xrpc/com.atproto.sync.subscribeRepos")
        # At the very start there is nothing that could have been missed.
        await read(_soon())
        assert ((await _reading()).cursor, (await _reading()).missed_at) == (7, None)
        await read(_soon())
        assert (await _reading()).missed_at is not None


async def test_nothing_is_read_where_nothing_is_set(database: Database) -> None:
    assert await read(_soon()) == {}


async def _until_liked(did: str, track_id: str, likes: int) -> str | None:
    """Wait until the track has so many likes. Returns the address of this account's."""
    async with asyncio.timeout(100):
        while (liked := await show_like(did, track_id)).likes != likes:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return liked.record.uri if liked.record else None


async def _wanted(network: NetworkServer, password: str) -> str:
    """A track of alice's that is to be published."""
    await alice_signs_in(network, password)
    track_id = await ready_track(network.alice.did)
    await request_publication(track_id)
    return track_id


@pytest.mark.timeout(240)  # the next run may be a minute away
@pytest.mark.parametrize("engine_mode", ["inline", "memory", "redis"], indirect=True)
async def test_the_crew_reads(
    listening: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str,
    bobs: OtherClient,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="30")
    bob, clock = listening.bob.did, asyncio.get_running_loop().time
    async with background(get_settings(), "worker"):
        track_id = await _wanted(listening, alice_password)
        async with asyncio.timeout(30):
            while (track := await get_publication(track_id)).cid is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await run_now("read_network")
        uri = await bobs.like(track)
        assert await _until_liked(bob, track_id, 1) == uri
        await bobs.delete(uri)
        await _until_liked(bob, track_id, 0)
        began = clock()
    # Listening does not hold up the end of the process, and is not over with it.
    assert clock() - began < 15
    again = await bobs.like(track)
    async with background(get_settings(), "worker"):
        assert await _until_liked(bob, track_id, 1) == again


@pytest.mark.timeout(240)
async def test_a_reader_that_is_killed(
    listening: NetworkServer, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str,
    bobs: OtherClient, tmp_path: Path,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{new_id()}",
                    RUNNER_REDELIVERY_S="2", RUNNER_HEARTBEAT_S="0.3", RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.3",
                    WORKERS_ENABLED="0")  # fmt: skip
    bob, log = listening.bob.did, (tmp_path / "worker.log").open("wb")
    async with background(get_settings(), "api"):
        monkeypatch.delenv("WORKERS_ENABLED")
        track_id = await _wanted(listening, alice_password)
        await publish(track_id)
        track = await get_publication(track_id)
        await run_now("read_network")
        uri = await bobs.like(track)
        first = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        assert await _until_liked(bob, track_id, 1) == uri
        first.send_signal(signal.SIGKILL)
        await first.wait()
        said = [await bobs.comment(track, f"comment {number}") for number in range(3)]
        second = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(100):
                while len(await list_comments(track_id)) < len(said):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            second.kill()
            await second.wait()
            log.close()
        assert (await show_like(bob, track_id)).likes == 1
        async with current_database().reading() as session:
            rows = await session.scalars(select(PdsRecord).where(PdsRecord.did == bob))
            assert sorted(f"at://{row.did}/{row.collection}/{row.rkey}" for row in rows) == sorted([uri, *said])
