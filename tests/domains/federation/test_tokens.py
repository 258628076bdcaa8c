"""Tokens that work: fetched anew once for all who need them, and given up when their server refuses them."""

import asyncio
import os
import sys

import pytest
from sqlalchemy import update

from backend.db.base import now
from backend.db.models.federation import Account
from backend.db.session import Database
from backend.domains.federation.accounts import sign_out
from backend.domains.federation.pds import pds_of
from backend.domains.federation.tokens import credentials_of, subject_of
from backend.errors import AuthExpired, RateLimited, Refused, Unavailable
from tests.domains.federation.conftest import account_row, alice_signs_in, spoil_access, tokens_of
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

REFRESH = "com.atproto.server.refreshSession"
SESSION = "com.atproto.server.getSession"


async def _ask(did: str) -> str:
    async with pds_of(did) as pds:
        return str((await pds.query(SESSION))["handle"])


async def test_a_refused_token_is_replaced_once_for_everybody(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    assert await asyncio.gather(*(_ask(did) for _ in range(12))) == ["alice.test"] * 12
    assert faulty.calls[REFRESH] == 1
    row = await account_row(did)
    assert (row.generation, row.refreshing, row.state) == (2, None, "active")
    assert await _ask(did) == "alice.test"
    assert faulty.calls[REFRESH] == 1


OTHER_PROCESS = """
import asyncio, sys
from backend.db.session import open_database
from backend.domains.federation.pds import pds_of
from backend.settings import get_settings

async def ask(did):
    async with pds_of(did) as pds:
        sys.stdin.readline()
        return (await pds.query("com.atproto.server.getSession"))["handle"]

async def main():
    async with open_database(get_settings().database):
        print(await ask(sys.argv[1]))

asyncio.run(main())
"""


async def test_processes_do_not_refresh_twice(
    platform: NetworkServer, postgres_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    pipe = asyncio.subprocess.PIPE
    others = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OTHER_PROCESS, did, stdin=pipe, stdout=pipe, env=dict(os.environ)
        )
        for _ in range(3)
    ]
    said = await asyncio.gather(*(other.communicate(b"go\n") for other in others))
    assert [out.decode().strip() for out, _ in said] == ["alice.test"] * 3
    assert faulty.calls[REFRESH] == 1


async def test_a_refresh_token_that_is_refused_needs_a_sign_in(
    platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    faulty.plan(REFRESH, Fault(400, "ExpiredToken"))
    for _ in range(2):
        with pytest.raises(AuthExpired, match="must sign in again") as expired:
            await _ask(did)
        assert expired.value.subject == subject_of(did)
    row = await account_row(did)
    assert (row.state, row.credentials, row.refreshing) == ("expired", None, None)
    assert "ExpiredToken" in str(row.reason)
    assert faulty.calls[REFRESH] == 1
    await alice_signs_in(platform, alice_password)
    assert await _ask(did) == "alice.test"


async def test_fresh_tokens_that_are_refused_too_need_a_sign_in(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    await alice_signs_in(platform, alice_password, faulty)
    faulty.plan(SESSION, Fault(401, "AccountDeactivated"), Fault(401, "AccountDeactivated"))
    with pytest.raises(AuthExpired, match="AccountDeactivated"):
        await _ask(platform.alice.did)
    assert (await account_row(platform.alice.did)).state == "expired"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(500), Unavailable),
        (Fault(429, headers={"Retry-After": "9"}), RateLimited),
        (Fault(hang_up=True), Unavailable),
    ],
)
async def test_a_server_that_is_away_costs_no_sign_in(
    platform: NetworkServer,
    sqlite_database: Database,
    alice_password: str,
    faulty: FaultyPds,
    fault: Fault,
    error: type[Exception],
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    faulty.plan(REFRESH, fault)
    with pytest.raises(error):
        await _ask(did)
    assert (await account_row(did)).refreshing is None
    assert await _ask(did) == "alice.test"


async def test_who_dies_with_the_lease_holds_it_for_a_while_only(
    platform: NetworkServer, database: Database, alice_password: str
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password)
    await spoil_access(did)
    async with database.unit() as unit:
        await unit.connection.execute(update(Account).values(refreshing="somebody", refreshing_until=now()))
    assert await _ask(did) == "alice.test"


async def test_an_answer_that_got_lost_costs_no_sign_in(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    """The server has issued new tokens and nobody got them: it takes the old refresh token once more."""
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    faulty.plan(REFRESH, Fault(hang_up=True, reached=True))
    with pytest.raises(Unavailable):
        await _ask(did)
    assert await _ask(did) == "alice.test"


async def test_a_sign_in_during_the_refresh_counts(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, faulty: FaultyPds
) -> None:
    did = platform.alice.did
    await alice_signs_in(platform, alice_password, faulty)
    await spoil_access(did)
    faulty.plan(REFRESH, Fault())
    asking = asyncio.create_task(_ask(did))
    async with asyncio.timeout(10):
        while not faulty.calls[REFRESH]:  # noqa: ASYNC110  it counts, and calls nobody
            await asyncio.sleep(0.02)
    await alice_signs_in(platform, alice_password)
    new = await tokens_of(did)
    with pytest.raises(Unavailable):
        await asking
    assert await tokens_of(did) == new
    assert await _ask(did) == "alice.test"


async def test_who_signed_out_or_never_came_has_none(
    platform: NetworkServer, sqlite_database: Database, alice_password: str
) -> None:
    with pytest.raises(AuthExpired, match="never signed in"):
        await credentials_of("did:plc:nobody")
    done = await alice_signs_in(platform, alice_password)
    await sign_out(done.token)
    with pytest.raises(AuthExpired, match="signed out"):
        await credentials_of(platform.alice.did)


async def test_other_refusals_pass_through(
    platform: NetworkServer, sqlite_database: Database, alice_password: str
) -> None:
    await alice_signs_in(platform, alice_password)
    async with pds_of(platform.alice.did) as pds:
        with pytest.raises(Refused) as refused:
            await pds.query("com.atproto.repo.getRecord", repo=pds.did, collection="com.example.x", rkey="none")
    assert refused.value.name == "RecordNotFound"
