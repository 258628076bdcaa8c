"""Sign in and out with a real PDS: who gets in, who does not, and what is left behind."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select

from backend.db.base import now
from backend.db.models.federation import Account, Revocation, SignInAttempt
from backend.db.session import Database
from backend.domains.federation.accounts import get_account, sign_in, sign_out
from backend.domains.federation.revocation import revoke
from backend.domains.federation.sign_ins import find_sign_in, list_sign_ins
from backend.errors import Forbidden, InvalidInput, NotFound, RateLimited, SignInRequired, Unavailable
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, account_row, alice_signs_in, tokens_of
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import PASSWORD, NetworkServer


async def _revoke_all(database: Database) -> int:
    async with database.reading() as session:
        ids = list(await session.scalars(select(Revocation.id)))
    return sum([await revoke(each) for each in ids])


def _holds(platform: NetworkServer, refresh: str) -> bool:
    """Whether the PDS still takes a refresh token."""
    url = f"{platform.pds_url}/xrpc/com.atproto.server.refreshSession"
    return httpx.post(url, headers={"Authorization": f"Bearer {refresh}"}).status_code == 200


@pytest.mark.parametrize("by", ["handle", "did"])
async def test_alice_signs_in(platform: NetworkServer, database: Database, alice_password: str, by: str) -> None:
    name = {"handle": "@Alice.test", "did": platform.alice.did}[by]
    done = await sign_in(name, alice_password, HERE)
    found = await find_sign_in(done.token)
    assert found is not None
    assert found.did == done.account.did == platform.alice.did
    assert (done.account.handle, done.account.pds_url, done.account.state) == ("alice.test", platform.pds_url, "active")
    assert await get_account(platform.alice.did) == done.account
    row = await account_row(platform.alice.did)
    tokens = await tokens_of(platform.alice.did)
    assert tokens.access not in str(row.credentials)
    assert done.token not in repr(done)
    assert tokens.access not in repr(tokens)


async def test_two_sign_ins_at_once_make_one_account(
    platform: NetworkServer, database: Database, alice_password: str
) -> None:
    await asyncio.gather(*(sign_in("alice.test", alice_password, HERE) for _ in range(4)))
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 1
    assert (await account_row(platform.alice.did)).generation == 4
    assert len(await list_sign_ins()) == 4
    assert await _revoke_all(database) == 3


async def test_who_does_not_get_in(platform: NetworkServer, sqlite_database: Database, alice_password: str) -> None:
    for name, password, error in (
        ("alice.test", "abcd-abcd-abcd-abcd", SignInRequired),
        ("nobody.test", alice_password, NotFound),
        ("bob.test", alice_password, SignInRequired),
        ("alice", alice_password, InvalidInput),
        ("alice.test", PASSWORD, Forbidden),
    ):
        with pytest.raises(error) as refused:
            await sign_in(name, password, HERE)
        assert password not in refused.value.detail
    assert await list_sign_ins() == []
    with pytest.raises(NotFound):
        await get_account(platform.alice.did)


async def test_a_server_that_is_away_is_not_a_wrong_password(
    platform: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, ATPROTO_HANDLE_URL="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await sign_in("alice.test", "x", HERE)


async def test_too_many_attempts_make_a_pause(
    platform: NetworkServer, database: Database, alice_password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, SIGN_IN_ATTEMPTS="2", SIGN_IN_WINDOW_S="60")
    for _ in range(2):
        with pytest.raises(SignInRequired):
            await sign_in("alice.test", "wrong", HERE)
    # The name is used up from everywhere, and the address for everybody.
    for name, address in (("ALICE.test ", "198.51.100.1"), ("bob.test", HERE)):
        with pytest.raises(RateLimited) as limited:
            await sign_in(name, alice_password, address)
        assert limited.value.after is not None
        assert timedelta(seconds=20) < limited.value.after <= timedelta(seconds=60)
    async with database.unit() as unit:
        rows = (await unit.connection.execute(select(SignInAttempt.__table__))).all()
        assert len(rows) == 4
        assert "alice" not in repr(rows)
        await unit.connection.execute(SignInAttempt.__table__.update().values(at=now() - timedelta(seconds=61)))
    assert (await sign_in("alice.test", alice_password, HERE)).account.handle == "alice.test"


async def test_a_new_sign_in_revokes_what_the_old_one_left(
    platform: NetworkServer, database: Database, alice_password: str
) -> None:
    await alice_signs_in(platform, alice_password)
    old = await tokens_of(platform.alice.did)
    await alice_signs_in(platform, alice_password)
    assert await _revoke_all(database) == 1
    assert not _holds(platform, old.refresh)
    assert _holds(platform, (await tokens_of(platform.alice.did)).refresh)


async def test_the_last_sign_out_revokes(platform: NetworkServer, database: Database, alice_password: str) -> None:
    first = await alice_signs_in(platform, alice_password)
    second = await alice_signs_in(platform, alice_password)
    await _revoke_all(database)
    tokens = await tokens_of(platform.alice.did)
    await sign_out(first.token)
    assert (await account_row(platform.alice.did)).state == "active"
    await sign_out(second.token)
    await sign_out(second.token)
    row = await account_row(platform.alice.did)
    assert (row.state, row.reason, row.credentials) == ("signed_out", "signed out", None)
    assert await list_sign_ins() == []
    assert await _revoke_all(database) == 1
    assert not _holds(platform, tokens.refresh)


async def test_a_revocation_waits_for_a_server_that_is_away(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    done = await alice_signs_in(platform, alice_password, faulty)
    tokens = await tokens_of(platform.alice.did)
    await sign_out(done.token)
    faulty.plan("com.atproto.server.deleteSession", Fault(503), Fault(401, "ExpiredToken"))
    async with sqlite_database.reading() as session:
        revocation = await session.scalar(select(Revocation))
    assert revocation is not None
    assert tokens.refresh not in revocation.credentials
    with pytest.raises(Unavailable):
        await revoke(revocation.id)
    assert await revoke(revocation.id)
    assert not await revoke(revocation.id)
