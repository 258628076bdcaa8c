"""The public profile is taken over and our record written, and nothing is lost when a server fails or others write too."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import httpx
import pytest
from atproto import AsyncClient
from sqlalchemy import update

from backend.db.models.federation import Account, Profile
from backend.db.session import Database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.profile import change_bio, get_profile, take_over
from backend.domains.federation.records import RecordState
from backend.domains.federation.writing import bring
from backend.errors import AuthExpired, InvalidInput, RateLimited, Refused, Unavailable
from tests.domains.federation.conftest import HERE, oauth_sign_in, tokens_of
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import PASSWORD, NetworkServer

GET, PUT = "com.atproto.repo.getRecord", "com.atproto.repo.putRecord"
PUBLIC, OURS = "app.bsky.actor.profile", "fm.backline.actor.profile"


@dataclass
class Person:
    """Somebody who signed in, whose server is reached through the proxy, and who also writes with another program."""

    did: str
    faulty: FaultyPds
    client: AsyncClient

    async def writes(self, collection: str, **record: object) -> None:
        """Their other program writes a record."""
        place = {"repo": self.did, "collection": collection, "rkey": "self"}
        await self.client.com.atproto.repo.put_record({**place, "record": {"$type": collection, **record}})

    async def removes(self, collection: str) -> None:
        """Their other program deletes one."""
        await self.client.com.atproto.repo.delete_record({"repo": self.did, "collection": collection, "rkey": "self"})

    async def there(self) -> dict[str, Any]:
        """Our record, as that program sees it."""
        place = {"repo": self.did, "collection": OURS, "rkey": "self"}
        return (await self.client.com.atproto.repo.get_record(place)).value.to_dict()

    async def picture(self) -> dict[str, Any]:
        """A blob they uploaded."""
        headers = {"Authorization": f"Bearer {(await tokens_of(self.did)).access}", "Content-Type": "image/png"}
        async with httpx.AsyncClient(base_url=f"{self.faulty.upstream}/xrpc", timeout=30) as client:
            content = token_hex(20).encode()
            made = await client.post("/com.atproto.repo.uploadBlob", content=content, headers=headers)
        blob: dict[str, Any] = made.raise_for_status().json()["blob"]
        return blob


@pytest.fixture
async def person(platform: NetworkServer, database: Database, faulty: FaultyPds) -> AsyncIterator[Person]:
    """A new account."""
    account = platform.add(f"p-{token_hex(4)}.test")
    await sign_in(account.did, platform.app_password(account), HERE)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Account).values(pds_url=faulty.url))
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    await client.login(account.handle, PASSWORD, fetch_bsky_profile=False)
    yield Person(account.did, faulty, client)
    await client.request.close()


async def test_the_public_profile_is_taken_over_and_followed(person: Person) -> None:
    assert await take_over(person.did) is None
    assert (await get_profile(person.did)).record is None
    picture = await person.picture()
    await person.writes(PUBLIC, displayName="Anna", description="I play.", avatar=picture)
    done = await take_over(person.did)
    assert done
    assert done.uri == f"at://{person.did}/{OURS}/self"
    seen = await get_profile(person.did)
    assert (seen.display_name, seen.bio, seen.own_bio) == ("Anna", "I play.", False)
    first = await person.there()
    assert (first["bio"], first["avatar"]) == ("I play.", seen.avatar_url)
    cid = picture["ref"]["$link"]
    assert str(seen.avatar_url).startswith(f"{person.faulty.url}/xrpc/com.atproto.sync.getBlob?")
    assert str(seen.avatar_url).endswith(cid)
    # Again: nothing is written.
    assert await take_over(person.did) is None
    assert person.faulty.calls[PUT] == 1
    # And it is followed, also when it is gone; what was said first stays the beginning.
    await person.writes(PUBLIC, displayName="Anna B.", description="I sing.")
    await take_over(person.did)
    assert await person.there() == {"$type": OURS, "bio": "I sing.", "createdAt": first["createdAt"]}
    await person.removes(PUBLIC)
    await take_over(person.did)
    seen = await get_profile(person.did)
    assert (seen.display_name, seen.bio, seen.avatar_url) == (None, None, None)
    assert await person.there() == {"$type": OURS, "createdAt": first["createdAt"]}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(500), Unavailable),
        (Fault(429, headers={"Retry-After": "9"}), RateLimited),
        (Fault(hang_up=True), Unavailable),
        (Fault(400, "InvalidRequest"), Refused),
        (Fault(200, body={"value": "x" * 6_000_000}), Unavailable),
    ],
    ids=["500", "429", "hung up", "refused", "too large"],
)
async def test_a_server_that_fails_changes_nothing(person: Person, fault: Fault, error: type[Exception]) -> None:
    await person.writes(PUBLIC, displayName="Anna", description="I play.", avatar=await person.picture())
    await take_over(person.did)
    before, record = await get_profile(person.did), await person.there()
    person.faulty.plan(GET, Fault(**vars(fault)))
    with pytest.raises(error):
        await take_over(person.did)
    assert (await get_profile(person.did), await person.there()) == (before, record)
    assert person.faulty.calls[PUT] == 1


async def test_a_deactivated_account_keeps_its_profile_here(person: Person) -> None:
    await person.writes(PUBLIC, displayName="Anna", description="I play.")
    await take_over(person.did)
    before = await get_profile(person.did)
    await person.client.com.atproto.server.deactivate_account({})
    with pytest.raises(AuthExpired, match="deactivated"):
        await take_over(person.did)
    after = await get_profile(person.did)
    assert (after.display_name, after.bio) == (before.display_name, before.bio) == ("Anna", "I play.")


async def test_what_is_said_here_comes_before_the_public_profile(person: Person) -> None:
    await person.writes(PUBLIC, displayName="Anna", description="I play.")
    await take_over(person.did)
    said = await change_bio(person.did, "Bass,\nmostly.")
    assert (said.bio, said.own_bio, said.record and said.record.state) == ("Bass,\nmostly.", True, RecordState.PENDING)
    assert said.record
    await bring(said.record.id)
    assert (await person.there())["bio"] == "Bass,\nmostly."
    await person.writes(PUBLIC, displayName="Anna", description="I sing.")
    assert await take_over(person.did) is None
    assert (await change_bio(person.did, None)).bio == "I sing."


async def test_who_signed_in_by_oauth_has_a_profile_too(platform: NetworkServer, person: Person) -> None:
    await person.writes(PUBLIC, displayName="Anna", description="I play.")
    account = next(each for each in platform.accounts.values() if each.did == person.did)
    await oauth_sign_in(platform, account)
    assert (await tokens_of(person.did)).grant
    assert await take_over(person.did)
    assert (await person.there())["bio"] == "I play."


async def test_a_record_that_was_there_keeps_what_is_not_ours(person: Person) -> None:
    await person.writes(OURS, bio="Earlier.", createdAt="2020-01-02T03:04:05.000Z", links=["https://anna.example"], n=1)
    await person.writes(PUBLIC, displayName="Anna", avatar=await person.picture())
    await take_over(person.did)
    seen = await get_profile(person.did)
    assert (seen.bio, seen.own_bio) == ("Earlier.", True)
    assert await person.there() == {
        "$type": OURS, "bio": "Earlier.", "avatar": seen.avatar_url, "createdAt": "2020-01-02T03:04:05.000Z",
        "links": ["https://anna.example"], "n": 1,
    }  # fmt: skip


async def test_another_program_writes_in_the_same_moment(person: Person) -> None:
    """It changes the record between our reading it and our writing it: both changes are there in the end."""
    said = await change_bio(person.did, "One")
    assert said.record
    await bring(said.record.id)
    await change_bio(person.did, "Two")
    held = asyncio.Event()
    person.faulty.plan(PUT, Fault(hold=held))
    writing = asyncio.create_task(bring(said.record.id))
    async with asyncio.timeout(20):
        while person.faulty.calls[PUT] < 2:  # noqa: ASYNC110  it counts, and calls nobody
            await asyncio.sleep(0.02)
    await person.writes(OURS, bio="One", createdAt="2020-01-02T03:04:05Z", links=["https://anna.example"])
    held.set()
    assert (await writing).state == RecordState.WRITTEN
    assert await person.there() == {
        "$type": OURS, "bio": "Two", "createdAt": "2020-01-02T03:04:05Z", "links": ["https://anna.example"]
    }  # fmt: skip
    assert person.faulty.calls[PUT] == 3


async def test_a_public_profile_that_makes_no_sense(person: Person) -> None:
    values = [
        {"value": {"displayName": 7, "description": ["x"], "avatar": {"ref": {"$link": "../../etc"}}}},
        {"value": {"displayName": "", "description": "", "avatar": "https://elsewhere.example/a.png"}},
        {"value": "nothing"},
        {},
    ]
    for value in values:
        person.faulty.plan(GET, Fault(200, body=value))
        assert await take_over(person.did) is None
        seen = await get_profile(person.did)
        assert (seen.display_name, seen.bio, seen.avatar_url, seen.record) == (None, None, None, None)
    person.faulty.plan(GET, Fault(200, body={"value": {"displayName": "a\u0000b" * 1000, "description": "d" * 9000}}))
    assert await take_over(person.did)
    assert len(str((await get_profile(person.did)).display_name)) <= 660


@pytest.mark.parametrize("bio", ["b" * 2561, "\ud800", "a\u0000"])
async def test_what_cannot_be_said(database: Database, bio: str) -> None:
    with pytest.raises(InvalidInput, match="bio") as refused:
        await change_bio("did:plc:alice", bio)
    assert refused.value.field == "bio"
    async with database.reading() as session:
        assert await session.get(Profile, "did:plc:alice") is None
