"""Many new records of one account reach a real PDS by few calls; none is lost or doubled when such a call fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from atproto import AsyncClient
from sqlalchemy import func, select, update

from backend._internal.background import background
from backend.db.ids import new_id
from backend.db.models.federation import PdsRecord
from backend.db.session import Database, unit_of_work
from backend.domains.federation.lexicons import Kind, collection_of
from backend.domains.federation.records import RecordState, get_record, want
from backend.domains.federation.writing import bring, schedule_record_write
from backend.errors import RateLimited, Refused, Snooze
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import alice_signs_in
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

PUT, TOGETHER = "com.atproto.repo.putRecord", "com.atproto.repo.applyWrites"
MOMENT = "2026-11-28T09:14:03.250Z"


class Burst:
    """Likes of one account, all of one burst: their subjects carry its name."""

    def __init__(self, platform: NetworkServer, faulty: FaultyPds, client: AsyncClient) -> None:
        self.did, self.faulty, self._client, self.name = platform.alice.did, faulty, client, new_id()

    async def want(self, count: int) -> list[str]:
        """Want this many likes. Returns the ids of their rows."""
        async with unit_of_work() as unit:
            rows = [
                await want(unit, self.did, Kind.LIKE, subject, self._like(subject)) for subject in self._names(count)
            ]
        return [row.id for row in rows if row]

    async def want_none(self, number: int) -> None:
        """Want one of them no more."""
        async with unit_of_work() as unit:
            await want(unit, self.did, Kind.LIKE, f"{self.name}-{number}", None)

    async def there(self) -> list[str]:
        """The keys of the records on the server, sorted."""
        found, cursor = [], None
        while True:
            asked = {"repo": self.did, "collection": collection_of(Kind.LIKE), "limit": 100, "cursor": cursor}
            page = await self._client.com.atproto.repo.list_records(asked)
            found += [each.uri.rpartition("/")[2] for each in page.records if self.name in each.value["subject"]["uri"]]
            if not (cursor := page.cursor):
                return sorted(found)

    def _names(self, count: int) -> list[str]:
        return [f"{self.name}-{number}" for number in range(count)]

    def _like(self, subject: str) -> dict[str, object]:
        cid = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
        ref = {"uri": f"at://{self.did}/{collection_of(Kind.TRACK)}/{subject}", "cid": cid}
        return {"subject": ref, "createdAt": MOMENT}


@pytest.fixture
async def burst(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> AsyncIterator[Burst]:
    await alice_signs_in(platform, alice_password, faulty)
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    yield Burst(platform, faulty, client)
    await client.request.close()


async def _keys(record_ids: list[str]) -> list[str]:
    async with unit_of_work() as unit:
        return sorted(await unit.session.scalars(select(PdsRecord.rkey).where(PdsRecord.id.in_(record_ids))))


async def _states(record_ids: list[str]) -> set[RecordState]:
    return {found.state for each in record_ids if (found := await get_record(each))}


async def test_one_call_writes_them_all(burst: Burst) -> None:
    ids = await burst.want(200)
    done = await bring(ids[7])
    assert done.state == RecordState.WRITTEN
    assert await _states(ids) == {RecordState.WRITTEN}
    assert await burst.there() == await _keys(ids)
    for each in ids:
        await bring(each)
    assert (burst.faulty.calls[TOGETHER], burst.faulty.calls[PUT]) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(400, "InvalidRequest"), Fault(hang_up=True), Fault(hang_up=True, reached=True)],
    ids=["500", "400", "hung up", "answer lost"],
)
async def test_a_call_that_fails_loses_and_doubles_nothing(burst: Burst, fault: Fault) -> None:
    ids = await burst.want(5)
    burst.faulty.plan(TOGETHER, Fault(**vars(fault)))
    await bring(ids[0])
    assert await _states(ids[1:]) == {RecordState.FAILING}
    for each in ids[1:]:
        await bring(each)
    assert await _states(ids) == {RecordState.WRITTEN}
    assert await burst.there() == await _keys(ids)
    # Once it failed together, each goes by itself.
    assert (burst.faulty.calls[TOGETHER], burst.faulty.calls[PUT]) == (1, 5)


async def test_a_server_that_wants_to_be_left_alone_is(burst: Burst) -> None:
    ids = await burst.want(3)
    burst.faulty.plan(TOGETHER, Fault(429, "RateLimitExceeded", {"Retry-After": "3"}))
    with pytest.raises(RateLimited):
        await bring(ids[0])
    assert burst.faulty.calls[PUT] == 0
    for each in ids:
        await bring(each)
    assert await burst.there() == await _keys(ids)


async def test_a_run_that_died_before_it_noted_anything(burst: Burst) -> None:
    ids = await burst.want(5)
    await bring(ids[0])
    async with unit_of_work() as unit:
        nothing = {"cid": None, "written_revision": 0}
        await unit.connection.execute(update(PdsRecord).where(PdsRecord.id.in_(ids)).values(**nothing))
    for each in ids:
        await bring(each)
    assert await _states(ids) == {RecordState.WRITTEN}
    assert await burst.there() == await _keys(ids)


async def test_one_that_is_refused_keeps_no_other_from_being_written(burst: Burst) -> None:
    ids = await burst.want(4)
    burst.faulty.plan(TOGETHER, Fault(400, "InvalidRequest"))
    burst.faulty.plan(PUT, Fault(400, "InvalidRequest"))
    with pytest.raises(Refused):
        await bring(ids[2])
    for each in (ids[0], ids[1], ids[3]):
        await bring(each)
    assert await _states([ids[2]]) == {RecordState.REFUSED}
    assert await _states([ids[0], ids[1], ids[3]]) == {RecordState.WRITTEN}
    assert await burst.there() == await _keys([ids[0], ids[1], ids[3]])


async def test_a_mind_that_changes_meanwhile(burst: Burst) -> None:
    """One of them is unwanted while the call is under way: it is written, and then deleted by its own run."""
    ids = await burst.want(3)
    held = asyncio.Event()
    burst.faulty.plan(TOGETHER, Fault(hold=held))
    writing = asyncio.create_task(bring(ids[0]))
    async with asyncio.timeout(20):
        while not burst.faulty.calls[TOGETHER]:  # noqa: ASYNC110  it counts, and calls nobody
            await asyncio.sleep(0.02)
    await burst.want_none(1)
    with pytest.raises(Snooze):
        await bring(ids[1])
    held.set()
    await writing
    assert len(await burst.there()) == 3
    assert (await bring(ids[1])).state == RecordState.DELETED
    assert await burst.there() == await _keys([ids[0], ids[2]])


@pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
async def test_two_hundred_likes_in_a_burst(
    platform: NetworkServer,
    engine_mode: str,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    alice_password: str,
    faulty: FaultyPds,
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    async with background(get_settings(), "worker"):
        await alice_signs_in(platform, alice_password, faulty)
        burst = Burst(platform, faulty, client)
        ids = await burst.want(200)
        async with unit_of_work():
            for each in ids:
                await schedule_record_write(each, 1)
        async with asyncio.timeout(100):
            while await _unwritten(ids):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await burst.there() == await _keys(ids)
    await client.request.close()
    assert faulty.calls[TOGETHER] <= 4
    assert faulty.calls[PUT] <= 20


async def _unwritten(ids: list[str]) -> int:
    async with unit_of_work() as unit:
        open_ones = PdsRecord.written_revision != PdsRecord.wanted_revision
        counted = select(func.count()).select_from(PdsRecord).where(PdsRecord.id.in_(ids), open_ones)
        return int(await unit.session.scalar(counted) or 0)
