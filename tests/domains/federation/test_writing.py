"""Records reach a real PDS once and as wanted, whatever happens on the way: read back with another client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from atproto import AsyncClient
from sqlalchemy import update

from backend.db.base import now
from backend.db.models.federation import PdsRecord
from backend.db.session import Database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.lexicons import Kind, collection_of
from backend.domains.federation.records import RecordState, get_record, want
from backend.domains.federation.writing import UNWRITTEN_AFTER, bring, recheck, repair_records
from backend.errors import AuthExpired, NotFound, RateLimited, Refused, Snooze, Unavailable
from backend.runtime import runs
from tests.conftest import set_environment
from tests.domains.federation.conftest import account_row, alice_signs_in, spoil_access
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import PASSWORD, NetworkServer

PUT, DELETE = (f"com.atproto.repo.{name}Record" for name in ("put", "delete"))
TRACK = {"title": "One", "artist": "Anna", "fileType": "flac", "createdAt": "2026-11-23T09:14:03.250Z"}


class Alices:
    """alice's account behind the failing proxy, and her repository as another client sees it."""

    def __init__(self, platform: NetworkServer, faulty: FaultyPds, client: AsyncClient, subject: str) -> None:
        self.did, self.faulty, self._client, self._subject = platform.alice.did, faulty, client, subject

    async def want(self, title: str | None) -> str:
        """Want a track of this title, or none. Returns the id of the row."""
        async with unit_of_work() as unit:
            content = None if title is None else TRACK | {"title": title, "description": self._subject}
            row = await want(unit, self.did, Kind.TRACK, self._subject, content)
        assert row is not None
        self.rkey = row.rkey
        return row.id

    async def there(self) -> list[dict[str, Any]]:
        """Every record of this test, under whatever key."""
        asked = {"repo": self.did, "collection": collection_of(Kind.TRACK), "limit": 100}
        listed = await self._client.com.atproto.repo.list_records(asked)
        found = [{"cid": record.cid, "uri": record.uri, **record.value.to_dict()} for record in listed.records]
        return [record for record in found if record["description"] == self._subject]

    async def titles(self) -> list[str]:
        """Their titles."""
        return [record["title"] for record in await self.there()]


@pytest.fixture
async def alice(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds, request: pytest.FixtureRequest
) -> AsyncIterator[Alices]:
    await alice_signs_in(platform, alice_password, faulty)
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    yield Alices(platform, faulty, client, request.node.name)
    await client.request.close()


async def _set(record_id: str, **values: object) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(PdsRecord).where(PdsRecord.id == record_id).values(**values))


async def test_a_record_is_written_and_reads_the_same_elsewhere(alice: Alices) -> None:
    record_id = await alice.want("One")
    done = await bring(record_id)
    assert (done.state, done.error) == (RecordState.WRITTEN, None)
    [there] = await alice.there()
    assert (there["cid"], there["uri"]) == (done.cid, done.uri)
    assert {name: there[name] for name in TRACK} == TRACK
    assert done.uri == f"at://{alice.did}/fm.backline.track/{alice.rkey}"


async def test_a_repeat_sends_nothing(alice: Alices) -> None:
    record_id = await alice.want("One")
    first = await bring(record_id)
    assert await bring(record_id) == first
    assert alice.faulty.calls[PUT] == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(500), Unavailable),
        (Fault(429, "RateLimitExceeded", {"Retry-After": "3"}), RateLimited),
        (Fault(hang_up=True), Unavailable),
        (Fault(hang_up=True, reached=True), Unavailable),
        (Fault(), Unavailable),
        (Fault(reached=True), Unavailable),
    ],
    ids=["500", "429", "hung up", "answer lost", "silence", "answer late"],
)
@pytest.mark.parametrize("wish", ["create", "edit", "delete"])
async def test_a_failed_attempt_loses_and_doubles_nothing(
    alice: Alices, monkeypatch: pytest.MonkeyPatch, fault: Fault, error: type[Exception], wish: str
) -> None:
    record_id = await alice.want("One")
    if wish != "create":
        await bring(record_id)
        await alice.want({"edit": "Two", "delete": None}[wish])
    # Nothing but the writes may be this impatient: a busy machine is slow at signing in.
    if fault.status is None and not fault.hang_up:
        set_environment(monkeypatch, OUTBOUND_TIMEOUT_S="1")
    alice.faulty.plan(DELETE if wish == "delete" else PUT, Fault(**vars(fault)))
    with pytest.raises(error):
        await bring(record_id)
    seen = await get_record(record_id)
    assert seen is not None
    assert seen.state == RecordState.FAILING
    assert seen.error
    set_environment(monkeypatch, OUTBOUND_TIMEOUT_S="20")
    done = await bring(record_id)
    assert (done.state, done.error) == (RecordState.DELETED if wish == "delete" else RecordState.WRITTEN, None)
    assert await alice.titles() == {"create": ["One"], "edit": ["Two"], "delete": []}[wish]


async def test_an_attempt_that_died_before_it_noted_anything(alice: Alices) -> None:
    record_id = await alice.want("One")
    first = await bring(record_id)
    await _set(record_id, cid=None, written_revision=0)
    assert (await bring(record_id)).cid == first.cid
    assert (alice.faulty.calls[PUT], await alice.titles()) == (2, ["One"])
    # And it was changed before the repeat.
    await _set(record_id, cid=None, written_revision=0)
    await alice.want("Two")
    await bring(record_id)
    assert await alice.titles() == ["Two"]


async def test_an_expired_token_is_nothing_to_notice(alice: Alices) -> None:
    record_id = await alice.want("One")
    await spoil_access(alice.did)
    assert (await bring(record_id)).state == RecordState.WRITTEN


async def test_a_revoked_token_parks_and_says_so(alice: Alices, platform: NetworkServer, alice_password: str) -> None:
    record_id = await alice.want("One")
    await spoil_access(alice.did)
    alice.faulty.plan("com.atproto.server.refreshSession", Fault(400, "ExpiredToken"))
    with pytest.raises(AuthExpired):
        await bring(record_id)
    seen = await get_record(record_id)
    assert seen is not None
    assert (seen.state, "sign in" in str(seen.error)) == (RecordState.WAITING, True)
    await alice_signs_in(platform, alice_password)
    assert (await bring(record_id)).state == RecordState.WRITTEN


async def test_edited_before_it_was_created(alice: Alices) -> None:
    record_id = await alice.want("One")
    await alice.want("Two")
    await bring(record_id)
    assert (await alice.titles(), alice.faulty.calls[PUT]) == (["Two"], 1)


async def test_deleted_before_it_was_created(alice: Alices) -> None:
    record_id = await alice.want("One")
    await alice.want(None)
    assert (await bring(record_id)).state == RecordState.DELETED
    assert await alice.titles() == []


async def test_there_gone_and_there_again(alice: Alices) -> None:
    record_id = await alice.want("One")
    await bring(record_id)
    await alice.want(None)
    await alice.want("One")
    await asyncio.gather(*(_patiently(record_id) for _ in range(3)))
    assert await alice.titles() == ["One"]


async def _patiently(record_id: str) -> None:
    """As the runner does it: a run that is told to come later comes later."""
    for _ in range(200):
        try:
            await bring(record_id)
            return
        except Snooze:
            await asyncio.sleep(0.05)
    raise AssertionError("it never came to its turn")


async def test_a_write_that_comes_late_replaces_nothing_newer(alice: Alices) -> None:
    """The first run is stuck in the network while its lease ends and another one writes what is wanted since."""
    record_id = await alice.want("Old")
    held = asyncio.Event()
    alice.faulty.plan(PUT, Fault(hold=held))
    late = asyncio.create_task(bring(record_id))
    await _called(alice, PUT)
    await _set(record_id, writer_until=now())
    await alice.want("New")
    await bring(record_id)
    held.set()
    with pytest.raises(Snooze):
        await late
    assert await alice.titles() == ["New"]


async def test_a_write_that_comes_late_is_not_left_where_nothing_should_be(alice: Alices) -> None:
    record_id = await alice.want("Old")
    held = asyncio.Event()
    alice.faulty.plan(PUT, Fault(hold=held))
    late = asyncio.create_task(bring(record_id))
    await _called(alice, PUT)
    await _set(record_id, writer_until=now())
    await alice.want(None)
    assert (await bring(record_id)).state == RecordState.DELETED
    held.set()
    with pytest.raises(Snooze):
        await late
    # It could not be refused, so it is looked at again.
    assert await alice.titles() == ["Old"]
    [planned] = [run for run in await runs.list_runs() if run.task == "recheck_record"]
    assert planned.args == {"record_id": record_id}
    assert not await recheck(record_id)
    assert await alice.titles() == []
    assert await recheck(record_id)


async def _called(alice: Alices, method: str) -> None:
    async with asyncio.timeout(20):
        while not alice.faulty.calls[method]:  # noqa: ASYNC110  it counts, and calls nobody
            await asyncio.sleep(0.02)


async def test_what_another_program_wrote_is_replaced_and_not_doubled(alice: Alices) -> None:
    record_id = await alice.want("One")
    await bring(record_id)
    await _set(record_id, cid="bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
    await alice.want("Two")
    await bring(record_id)
    assert await alice.titles() == ["Two"]


async def test_a_refusal_is_final_until_something_else_is_wanted(alice: Alices) -> None:
    record_id = await alice.want("One")
    alice.faulty.plan(PUT, Fault(400, "InvalidRequest"))
    with pytest.raises(Refused):
        await bring(record_id)
    await _set(record_id, updated_at=now() - 2 * UNWRITTEN_AFTER)
    seen = await get_record(record_id)
    assert seen is not None
    assert (seen.state, "InvalidRequest" in str(seen.error)) == (RecordState.REFUSED, True)
    assert await repair_records() == {"unwritten": 0, "scheduled": 0}
    await alice.want("Two")
    assert (await bring(record_id)).state == RecordState.WRITTEN


async def test_what_stayed_unwritten_is_found_and_written(alice: Alices) -> None:
    record_id = await alice.want("One")
    assert (await repair_records())["unwritten"] == 0
    await _set(record_id, updated_at=now() - 2 * UNWRITTEN_AFTER)
    assert await repair_records() == {"unwritten": 1, "scheduled": 1}
    assert await repair_records() == {"unwritten": 1, "scheduled": 0}


async def test_who_is_not_there_cannot_be_written(alice: Alices) -> None:
    with pytest.raises(NotFound):
        await bring("no such record")


async def test_a_deactivated_account_waits_and_goes_on(platform: NetworkServer, sqlite_database: Database) -> None:
    carol = platform.add("carol.test")
    await sign_in(carol.did, platform.app_password(carol), "203.0.113.9")
    async with unit_of_work() as unit:
        row = await want(unit, carol.did, Kind.TRACK, "t", TRACK | {"description": "carols"})
    assert row is not None
    owner = AsyncClient(f"{platform.pds_url}/xrpc")
    await owner.login("carol.test", PASSWORD, fetch_bsky_profile=False)
    await owner.com.atproto.server.deactivate_account({})
    with pytest.raises(AuthExpired, match="Deactivated"):
        await bring(row.id)
    assert "Deactivated" in str((await account_row(carol.did)).reason)
    await owner.com.atproto.server.activate_account()
    await sign_in(carol.did, platform.app_password(carol), "203.0.113.9")
    assert (await bring(row.id)).state == RecordState.WRITTEN
    await owner.request.close()
