"""Plays count once, and are scrobbled once: under the key and the time of the play, and only while somebody wants that."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from backend._internal.background import background
from backend.db.ids import new_id
from backend.db.models.federation import PdsRecord, Play
from backend.db.models.media import Track, TrackVersion
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.plays import count_play
from backend.domains.federation.preferences import change_preferences
from backend.domains.federation.records import RecordState, find_record
from backend.domains.federation.scrobbles import Scrobble, scrobble
from backend.domains.federation.tid import LETTERS
from backend.errors import Conflict, NotFound, Unavailable
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, alice_signs_in, ready_track
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

PUT = "com.atproto.repo.putRecord"
BOB = "did:plc:bob"


@pytest.fixture
async def alice(platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds) -> str:
    """alice's DID. She signed in, scrobbles, and her server is reached through the proxy."""
    await alice_signs_in(platform, alice_password, faulty)
    await change_preferences(platform.alice.did, scrobble=True)
    return platform.alice.did


async def _there(platform: NetworkServer, did: str, collection: str = "fm.teal.feed.play") -> list[dict[str, Any]]:
    asked = {"repo": did, "collection": collection, "limit": "100"}
    async with httpx.AsyncClient(base_url=platform.pds_url) as client:
        answer = await client.get("/xrpc/com.atproto.repo.listRecords", params=asked)
    return list(answer.raise_for_status().json()["records"])


async def _plays(track_id: str) -> list[Play]:
    async with current_database().reading() as session:
        return list(await session.scalars(select(Play).filter_by(track_id=track_id).order_by(Play.id)))


async def _ago(play: Play, seconds: float) -> None:
    earlier = update(Play).where(Play.id == play.id).values(played_at=play.played_at - timedelta(seconds=seconds))
    async with unit_of_work() as unit:
        await unit.connection.execute(earlier)


async def _played(track_id: str, did: str, played_at: datetime) -> str:
    play = Play(id=new_id(), track_id=track_id, did=did, listener=did, played_at=played_at)
    async with unit_of_work() as unit:
        unit.session.add(play)
    return play.id


async def test_one_listener_counts_once_until_the_track_could_be_over(database: Database) -> None:
    track_id = await ready_track(None)  # 210.6 s
    told = await asyncio.gather(*(count_play(track_id, BOB, HERE) for _ in range(4)))
    assert sorted(each.counted for each in told) == [False, False, False, True]
    assert {each.play_count for each in told} == {1}
    [play] = await _plays(track_id)
    await _ago(play, 209)
    assert not (await count_play(track_id, BOB, HERE)).counted
    await _ago(play, 211)
    assert (await count_play(track_id, BOB, HERE)).play_count == 2
    assert (await count_play(track_id, "did:plc:carol", HERE)).play_count == 3
    other = await ready_track(None)
    assert (await count_play(other, BOB, HERE)).play_count == 1


async def test_a_track_of_unknown_length(database: Database) -> None:
    track_id = await ready_track(None)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(TrackVersion).values(duration_s=None))
    await count_play(track_id, BOB, HERE)
    [play] = await _plays(track_id)
    await _ago(play, 29)
    assert not (await count_play(track_id, BOB, HERE)).counted
    await _ago(play, 31)
    assert (await count_play(track_id, BOB, HERE)).counted


async def test_nobody_is_told_from_nobody_without_keeping_an_address(database: Database) -> None:
    one, other = await ready_track(None), await ready_track(None)
    assert (await count_play(one, None, HERE)).counted
    assert not (await count_play(one, None, HERE)).counted
    assert (await count_play(one, None, "203.0.113.10")).play_count == 2
    await count_play(other, None, HERE)
    names = [play.listener for track_id in (one, other) for play in await _plays(track_id)]
    assert len(set(names)) == 3  # the same address is another listener on another track
    assert not any(HERE in name for name in names)
    assert {play.did for play in await _plays(one)} == {None}


async def test_what_nobody_can_hear(database: Database) -> None:
    with pytest.raises(NotFound):
        await count_play("no such track", BOB, HERE)
    with pytest.raises(Conflict, match="does not play"):
        await count_play(await ready_track(None, status="processing"), BOB, HERE)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_a_play_is_scrobbled(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3",
                    HTTP_PUBLIC_URL="https://music.example.com")  # fmt: skip
    did = platform.alice.did
    async with background(get_settings(), "worker"):
        await alice_signs_in(platform, alice_password)
        track_id = await ready_track(platform.bob.did, "Night Drive")
        assert (await count_play(track_id, did, HERE)).run_id is None  # she did not ask for it
        [unwanted] = await _plays(track_id)
        await _ago(unwanted, 300)
        await change_preferences(did, scrobble=True)
        before = {record["uri"] for record in await _there(platform, did)}
        assert (await count_play(track_id, did, HERE)).run_id
        async with asyncio.timeout(60):
            while True:
                now_hearing = await find_record(did, Kind.STATUS, "now")
                if now_hearing and now_hearing.state == RecordState.WRITTEN:
                    break
                await asyncio.sleep(0.05)
        [record] = [record for record in await _there(platform, did) if record["uri"] not in before]
        [status] = await _there(platform, did, "fm.teal.actor.status")
        play = (await _plays(track_id))[-1]
    played = record["value"]["playedTime"]
    assert record["value"] == {
        "$type": "fm.teal.feed.play", "trackName": "Night Drive", "artists": [{"artistName": platform.bob.did}],
        "duration": 211, "originUri": f"https://music.example.com/t/{track_id}",
        "musicServiceUri": "https://music.example.com", "submissionClientAgent": "fm.backline/1.0", "playedTime": played,
    }  # fmt: skip
    moment = datetime.fromisoformat(played)
    assert abs(moment - play.played_at) < timedelta(milliseconds=1)
    rkey = record["uri"].rpartition("/")[2]
    written = sum(LETTERS.index(letter) << 5 * place for place, letter in enumerate(reversed(rkey))) >> 10
    assert written == round(play.played_at.timestamp() * 1_000_000)
    item = {name: value for name, value in record["value"].items() if name != "$type"}
    assert status["uri"].endswith("/fm.teal.actor.status/self")
    assert (status["value"]["item"], status["value"]["time"]) == (item, played)
    assert datetime.fromisoformat(status["value"]["expiry"]) - moment == timedelta(seconds=600)


async def test_a_repeat_writes_nothing_new(platform: NetworkServer, alice: str, faulty: FaultyPds) -> None:
    track_id, before = await ready_track(alice), len(await _there(platform, alice))
    await count_play(track_id, alice, HERE)
    [play] = await _plays(track_id)
    faulty.plan(PUT, Fault(reached=True, hang_up=True))
    with pytest.raises(Unavailable):
        await scrobble(play.id)
    done = [await scrobble(play.id)]
    sent = faulty.calls[PUT]
    done += [await scrobble(play.id) for _ in range(2)]
    assert (len(set(done)), faulty.calls[PUT]) == (1, sent)
    assert len(await _there(platform, alice)) == before + 1
    # The row is lost altogether, and the repeat still meets its own record.
    async with unit_of_work() as unit:
        row = await unit.session.scalar(select(PdsRecord).filter_by(kind=Kind.PLAY, subject=play.id))
        await unit.session.delete(row)
    assert await scrobble(play.id) == done[0]
    assert len(await _there(platform, alice)) == before + 1


async def test_what_is_heard_now_is_the_newest_play(platform: NetworkServer, alice: str) -> None:
    track_id, moment = await ready_track(alice), datetime.now(UTC)
    older = await _played(track_id, alice, moment - timedelta(seconds=100))
    newer = await _played(track_id, alice, moment - timedelta(seconds=1))
    assert (await scrobble(newer)).status
    # A run that comes late takes nothing back.
    assert (await scrobble(older)).status is None
    [status] = await _there(platform, alice, "fm.teal.actor.status")
    assert datetime.fromisoformat(status["value"]["time"]) > moment - timedelta(seconds=2)
    # Nor is something heard now that ended long ago.
    other = await _played(track_id, platform.bob.did, moment - timedelta(seconds=601))
    await change_preferences(platform.bob.did, scrobble=True)
    await sign_in("bob.test", platform.app_password(platform.bob), HERE)
    assert (await scrobble(other)).status is None
    assert await find_record(platform.bob.did, Kind.STATUS, "now") is None


async def test_what_is_not_written(alice: str, faulty: FaultyPds) -> None:
    track_id = await ready_track(alice)
    run_id = (await count_play(track_id, alice, HERE)).run_id
    [play] = await _plays(track_id)
    async with current_database().reading() as session:
        assert await session.scalar(select(Run.args).where(Run.id == run_id)) == {"play_id": play.id}
    await change_preferences(alice, scrobble=False)
    assert await scrobble(play.id) == Scrobble()
    nobodys = await ready_track(None)
    await count_play(nobodys, None, HERE)
    assert await scrobble((await _plays(nobodys))[0].id) == Scrobble()
    async with unit_of_work() as unit:
        await unit.session.delete(await unit.session.get_one(Track, track_id))
    assert await scrobble(play.id) == Scrobble()
    assert faulty.calls[PUT] == 0


async def test_names_that_teal_has_no_room_for(platform: NetworkServer, alice: str) -> None:
    long = await ready_track(alice, "é" * 200)
    await count_play(long, alice, HERE)
    done = await scrobble((await _plays(long))[0].id)
    [record] = [record for record in await _there(platform, alice) if record["uri"] == done.play]
    assert record["value"]["trackName"] == "é" * 128


async def test_teal_may_move(platform: NetworkServer, alice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(
        monkeypatch, TEAL_PLAY_COLLECTION="fm.teal.alpha.feed.play", TEAL_STATUS_COLLECTION="fm.teal.alpha.actor.status"
    )
    track_id = await ready_track(alice)
    await count_play(track_id, alice, HERE)
    done = await scrobble((await _plays(track_id))[0].id)
    moved = {record["uri"]: record["value"] for record in await _there(platform, alice, "fm.teal.alpha.feed.play")}
    assert moved[str(done.play)]["$type"] == "fm.teal.alpha.feed.play"
    [status] = await _there(platform, alice, "fm.teal.alpha.actor.status")
    assert status["uri"] == done.status
