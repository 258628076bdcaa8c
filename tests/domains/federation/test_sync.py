"""A sign-in brings profile and lists up to date: what changed is written, one part that fails stops no other."""

import asyncio
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx
import pytest
from atproto import AsyncClient
from sqlalchemy import insert, update

from backend._internal.background import background
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, Like, PdsRecord
from backend.db.models.media import Track
from backend.db.session import Database, open_database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.albums import create_album
from backend.domains.federation.likes import like, unlike
from backend.domains.federation.lists import LIST_LIMIT, bring_album_list, bring_liked_list
from backend.domains.federation.profile import take_over
from backend.domains.federation.publication import get_publication, request_publication
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import RunFilter, list_runs
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, alice_signs_in, ready_track
from tests.domains.federation.kinds import published_track
from tests.domains.federation.trial import ACTIVE, hurry
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import PASSWORD, NetworkServer
from tests.network.server import Account as Resident

GET, PUT = "com.atproto.repo.getRecord", "com.atproto.repo.putRecord"


async def _records(platform: NetworkServer, did: str) -> dict[str, dict[str, Any]]:
    """Our lists and our profile in a repository, by their names or types."""
    found = []
    async with httpx.AsyncClient(base_url=f"{platform.pds_url}/xrpc", timeout=30) as client:
        for collection in ("fm.backline.list", "fm.backline.actor.profile"):
            asked = {"repo": did, "collection": collection}
            found += (await client.get("/com.atproto.repo.listRecords", params=asked)).json()["records"]
    values = [record["value"] for record in found]
    assert len({value.get("name") or value.get("listType") or value["$type"] for value in values}) == len(values)
    return {value.get("name") or value.get("listType") or value["$type"]: value for value in values}


async def _revision(platform: NetworkServer, did: str) -> str:
    """The repository's last commit: every write makes a new one."""
    async with httpx.AsyncClient(base_url=f"{platform.pds_url}/xrpc", timeout=30) as client:
        answer = await client.get("/com.atproto.sync.getLatestCommit", params={"did": did})
    return str(answer.json()["rev"])


async def _all_done() -> None:
    async with asyncio.timeout(60):
        while await list_runs(ACTIVE, limit=1):
            await hurry()
            await asyncio.sleep(0.05)


async def _anna(platform: NetworkServer) -> tuple[Resident, str]:
    """A new account with a public profile, and its app password."""
    anna = platform.add(f"anna-{token_hex(4)}.test")
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    await client.login(anna.handle, PASSWORD, fetch_bsky_profile=False)
    public = {"$type": "app.bsky.actor.profile", "displayName": "Anna", "description": "I play."}
    place = {"repo": anna.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
    await client.com.atproto.repo.put_record({**place, "record": public})
    await client.request.close()
    return anna, platform.app_password(anna)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_the_second_sign_in_writes_nothing(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.1", RUNNER_SHUTDOWN_GRACE_S="0.3")
    anna, password = await _anna(platform)
    async with background(get_settings(), "worker"):
        await sign_in(anna.did, password, HERE)
        await _all_done()
        assert list(await _records(platform, anna.did)) == ["fm.backline.actor.profile"]
        tracks = [await ready_track(anna.did) for _ in range(2)]
        for track_id in tracks:
            await request_publication(track_id)
        await _all_done()
        for title, order in (("Forth", tracks), ("Back", tracks[::-1])):
            await create_album(anna.did, title, order)
        await like(anna.did, tracks[0])
        await _all_done()
        assert "liked" not in await _records(platform, anna.did)
        await sign_in(anna.did, password, HERE)
        await _all_done()
        records, before = await _records(platform, anna.did), await _revision(platform, anna.did)
        assert set(records) == {"Forth", "Back", "liked", "fm.backline.actor.profile"}
        assert records["Forth"]["items"] == records["Back"]["items"][::-1]
        assert len(records["liked"]["items"]) == 1
        count = len(await list_runs(RunFilter(task="sync_album_list"), limit=100))
        await sign_in(anna.did, password, HERE)
        await _all_done()
        # The runs ran, and the repository is the same to the bit.
        assert len(await list_runs(RunFilter(task="sync_album_list"), limit=100)) == count + 2
        assert {run.state for run in await list_runs(RunFilter(task="sync_profile"))} == {"succeeded"}
        assert await _revision(platform, anna.did) == before
        # What changed is written, and nothing else.
        await unlike(anna.did, tracks[0])
        await like(anna.did, tracks[1])
        await _all_done()
        await sign_in(anna.did, password, HERE)
        await _all_done()
        later = await _records(platform, anna.did)
        assert later["liked"]["items"] != records["liked"]["items"]
        assert later["liked"]["createdAt"] == records["liked"]["createdAt"]
        assert {**later, "liked": None} == {**records, "liked": None}


@pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
async def test_a_part_that_fails_is_seen_and_stops_no_other(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, faulty: FaultyPds
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.1", RUNNER_SHUTDOWN_GRACE_S="0.3")
    anna, password = await _anna(platform)
    async with background(get_settings(), "worker"):
        await pause_queue("federation")
        await sign_in(anna.did, password, HERE)
        async with unit_of_work() as unit:
            await unit.connection.execute(update(Account).values(pds_url=faulty.url))
        track_id = await published_track(anna.did)
        await create_album(anna.did, "Forth", [track_id])
        await like(anna.did, track_id)
        faulty.plan(GET, Fault(400, "InvalidRequest"))
        await resume_queue("federation")
        await _all_done()
        assert set(await _records(platform, anna.did)) == {"Forth", "liked"}
        states = {run.task: (run.state, run.error) for run in await list_runs(RunFilter(queue="federation"), limit=100)}
        assert {task for task, (state, _) in states.items() if state != "succeeded"} == {"sync_profile"}
        assert (states["sync_profile"][0], "InvalidRequest" in str(states["sync_profile"][1])) == ("dead", True)


async def test_the_list_of_likes_has_the_newest_first(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    await alice_signs_in(platform, alice_password, faulty)
    did = platform.alice.did
    tracks = [await published_track(did) for _ in range(3)]
    for track_id in tracks:
        await like(did, track_id)
    unpublished = await ready_track(did)
    async with unit_of_work() as unit:
        await unit.connection.execute(insert(Like).values(did=did, track_id=unpublished, created_at=now()))
    done = await bring_liked_list(did)
    assert done
    value = await _value(platform, done.uri)
    published = [await get_publication(track_id) for track_id in reversed(tracks)]
    assert value["items"] == [{"subject": {"uri": each.uri, "cid": each.cid}} for each in published]
    before = faulty.calls[PUT]
    assert await bring_liked_list(did) is None
    assert faulty.calls[PUT] == before


async def test_the_list_of_likes_has_the_newest_500(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    await alice_signs_in(platform, alice_password, faulty)
    did, cid, began = platform.alice.did, "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", now()
    tracks = [new_id() for _ in range(LIST_LIMIT + 1)]
    made = {"did": did, "kind": "track", "collection": "fm.backline.track", "wanted": {"title": "t"}, "cid": cid}
    async with unit_of_work() as unit:
        rows = [{"id": each, "title": "t", "artist_did": did} for each in tracks]
        await unit.connection.execute(insert(Track), rows)
        records = [{"id": each, "subject": each, "rkey": f"r{at}", **made} for at, each in enumerate(tracks)]
        await unit.connection.execute(insert(PdsRecord), records)
        liked = [
            {"did": did, "track_id": each, "created_at": began + timedelta(seconds=at)}
            for at, each in enumerate(tracks)
        ]
        await unit.connection.execute(insert(Like), liked)
    done = await bring_liked_list(did)
    assert done
    keys = [item["subject"]["uri"].rpartition("/")[2] for item in (await _value(platform, done.uri))["items"]]
    assert keys == [f"r{at}" for at in range(LIST_LIMIT, 0, -1)]
    assert faulty.calls[PUT] == 1


@pytest.mark.parametrize("part", ["profile", "album list", "liked list"])
async def test_no_connection_is_held_while_a_server_is_asked(
    platform: NetworkServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str, faulty: FaultyPds,
    part: str,
) -> None:  # fmt: skip
    """The database has one connection. It is free for others while the server takes its time."""
    set_environment(monkeypatch, DATABASE_URL=postgres_url, DATABASE_POOL_SIZE="1", DATABASE_POOL_TIMEOUT_S="5")
    did = platform.alice.did
    async with open_database(get_settings().database):
        await alice_signs_in(platform, alice_password, faulty)
        track_id = await published_track(did)
        album = await create_album(did, "Held", [track_id])
        await like(did, track_id)
        work, method = {
            "profile": (lambda: take_over(did), GET),
            "album list": (lambda: bring_album_list(album.id), f"{PUT} fm.backline.list"),
            "liked list": (lambda: bring_liked_list(did), f"{PUT} fm.backline.list"),
        }[part]
        held, before = asyncio.Event(), faulty.calls[method]
        faulty.plan(method.split()[0], Fault(hold=held))
        working = asyncio.create_task(work())
        async with asyncio.timeout(20):
            while faulty.calls[method] == before:  # noqa: ASYNC110  it counts, and calls nobody
                await asyncio.sleep(0.02)
            async with unit_of_work() as unit:
                await unit.session.get_one(Account, did)
        assert not working.done()
        held.set()
        await working


async def _value(platform: NetworkServer, uri: str) -> dict[str, Any]:
    _, _, repo, collection, rkey = uri.split("/")
    asked = {"repo": repo, "collection": collection, "rkey": rkey}
    async with httpx.AsyncClient(base_url=f"{platform.pds_url}/xrpc", timeout=30) as client:
        answer = await client.get("/com.atproto.repo.getRecord", params=asked)
    value: dict[str, Any] = answer.raise_for_status().json()["value"]
    return value
