"""Sign in with OAuth at a real authorization server: who gets in, and every answer that is not what was asked for."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from backend.db.base import now
from backend.db.models.federation import OAuthRequest
from backend.db.session import Database
from backend.domains.federation.oauth import begin, finish
from backend.domains.federation.oauth_client import this_client
from backend.domains.federation.pds import pds_of
from backend.domains.federation.sign_ins import find_sign_in, forget_sign_ins, list_sign_ins
from backend.domains.federation.vault import unlock
from backend.errors import Forbidden, InvalidInput, NotFound, RateLimited, Refused, SignInRequired, Unavailable
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, account_row, came_back, revoke_all, tokens_of
from tests.network.faulty import Fault, FaultyPds
from tests.network.person import Person
from tests.network.server import NetworkServer


async def _requests(database: Database) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(OAuthRequest)) or 0


@pytest.mark.parametrize("by", ["handle", "did"])
async def test_alice_signs_in_and_is_called_with_proofs(platform: NetworkServer, database: Database, by: str) -> None:
    did = platform.alice.did
    begun = await begin({"handle": "@Alice.test", "did": did}[by], HERE, "/t/42")
    assert begun.url.startswith(f"{platform.pds_url}/oauth/authorize?")
    back = await Person(platform.pds_url).allow(begun.url, platform.alice)
    assert back.startswith(f"{this_client().redirect_uri}?")
    done = await finish(came_back(back, begun.browser))
    account = done.signed_in.account
    assert (account.did, account.handle, account.pds_url, account.state) == (
        did, "alice.test", platform.pds_url, "active",
    )  # fmt: skip
    assert done.return_to == "/t/42"
    found = await find_sign_in(done.signed_in.token)
    assert found is not None
    assert (found.did, found.role) == (did, "artist")
    async with pds_of(did) as pds:
        assert (await pds.query("com.atproto.server.getSession"))["handle"] == "alice.test"
    tokens = await tokens_of(did)
    sealed = str((await account_row(did)).credentials)
    assert tokens.grant is not None
    assert tokens.grant.issuer == platform.pds_url
    for secret in (tokens.access, tokens.refresh, tokens.grant.key):
        assert secret not in sealed
        assert secret not in repr(tokens)


async def test_what_is_kept_meanwhile_is_encrypted(platform: NetworkServer, sqlite_database: Database) -> None:
    begun = await begin("alice.test", HERE)
    async with sqlite_database.reading() as session:
        row = (await session.scalars(select(OAuthRequest))).one()
    kept = unlock(row.did, row.secrets)
    secrets = [kept["verifier"], *kept["grant"]["key"].splitlines()[1:-1], begun.browser]
    assert [len(each) for each in secrets] == [128, 64, 64, 56, 43]
    said = repr({column.key: getattr(row, column.key) for column in OAuthRequest.__table__.columns}) + repr(begun)
    assert [each for each in secrets if each in said] == []


async def test_an_answer_counts_once(platform: NetworkServer, database: Database) -> None:
    begun = await begin("alice.test", HERE)
    arrived = came_back(await Person(platform.pds_url).allow(begun.url, platform.alice), begun.browser)
    for _ in range(2):
        # A state that nobody made takes nothing away from the true one.
        with pytest.raises(SignInRequired, match="over, or was never begun"):
            await finish(replace(arrived, state="x" * 43))
    came = await asyncio.gather(*(finish(arrived) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in came) == ["Finished", "SignInRequired", "SignInRequired"]
    with pytest.raises(SignInRequired):
        await finish(arrived)
    assert len(await list_sign_ins()) == 1


async def test_an_answer_that_comes_late_is_refused(platform: NetworkServer, database: Database) -> None:
    for forgotten in (False, True):
        begun = await begin("alice.test", HERE)
        arrived = came_back(await Person(platform.pds_url).allow(begun.url, platform.alice), begun.browser)
        async with database.unit() as unit:
            await unit.connection.execute(update(OAuthRequest).values(expires_at=now()))
        if forgotten:
            await forget_sign_ins()
            assert await _requests(database) == 0
        with pytest.raises(SignInRequired, match="over"):
            await finish(arrived)
    assert await list_sign_ins() == []


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"issuer": "https://evil.example"}, Forbidden, "does not come from the server"),
        ({"issuer": None}, Forbidden, "does not come from the server"),
        ({"browser": "y" * 43}, SignInRequired, "another browser"),
        ({"browser": ""}, SignInRequired, "another browser"),
        ({"code": None}, InvalidInput, "neither a code nor an error"),
        ({"code": "cod-" + "0" * 64}, Refused, "invalid_grant"),
    ],
)
async def test_an_answer_that_was_tampered_with_signs_nobody_in(
    platform: NetworkServer, sqlite_database: Database, wrong: dict[str, str | None], error: type[Exception], words: str
) -> None:
    begun = await begin("alice.test", HERE)
    arrived = came_back(await Person(platform.pds_url).allow(begun.url, platform.alice), begun.browser)
    with pytest.raises(error, match=words):
        await finish(replace(arrived, **wrong))
    # Nor does the true one any more: somebody has seen it.
    with pytest.raises(SignInRequired):
        await finish(arrived)
    assert await list_sign_ins() == []


async def test_who_denies_is_not_signed_in(platform: NetworkServer, sqlite_database: Database) -> None:
    begun = await begin("alice.test", HERE)
    arrived = came_back(await Person(platform.pds_url).deny(begun.url), begun.browser)
    with pytest.raises(Forbidden, match="did not allow the sign-in: access_denied"):
        await finish(arrived)
    assert (await list_sign_ins(), await _requests(sqlite_database)) == ([], 0)


async def test_another_account_than_was_asked_for(
    front: FaultyPds, fronted_network: NetworkServer, sqlite_database: Database
) -> None:
    begun = await begin("alice.test", HERE)
    back = await Person(fronted_network.behind).allow(begun.url, fronted_network.bob)
    with pytest.raises(Forbidden, match="another account"):
        await finish(came_back(back, begun.browser))
    assert await list_sign_ins() == []
    # What was issued all the same is revoked there.
    assert await revoke_all(sqlite_database) == [True]
    assert front.calls["revoke"] == 1


async def test_a_server_that_does_not_speak_for_the_account_any_more(
    front: FaultyPds, fronted_network: NetworkServer, network: NetworkServer, sqlite_database: Database
) -> None:
    begun = await begin("alice.test", HERE)
    arrived = came_back(await Person(fronted_network.behind).allow(begun.url, fronted_network.alice), begun.browser)
    front.plan("oauth-protected-resource", Fault(200, body={"authorization_servers": [network.pds_url]}))
    with pytest.raises(Forbidden, match="does not speak for"):
        await finish(arrived)
    assert await list_sign_ins() == []
    # What was issued all the same is revoked there.
    assert await revoke_all(sqlite_database) == [True]
    assert front.calls["revoke"] == 1


async def test_a_server_without_oauth_or_away(front: FaultyPds, sqlite_database: Database) -> None:
    for fault, error, words in (
        (Fault(404), Refused, "app password"),
        (Fault(503), Unavailable, "503"),
        (Fault(302, headers={"Location": "http://127.0.0.1:1/"}), Unavailable, "302"),
        (Fault(200, body={"authorization_servers": []}), Unavailable, "one authorization server"),
    ):
        front.plan("oauth-protected-resource", fault)
        with pytest.raises(error, match=words):
            await begin("alice.test", HERE)
    front.plan("par", Fault(429, "RateLimitExceeded", headers={"Retry-After": "9"}))
    with pytest.raises(RateLimited):
        await begin("alice.test", HERE)
    assert await _requests(sqlite_database) == 0


async def test_names_and_attempts_count_as_with_a_password(
    platform: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, SIGN_IN_ATTEMPTS="2")
    for name, error in (("nobody.test", NotFound), ("alice", InvalidInput), ("alice.test", RateLimited)):
        with pytest.raises(error):
            await begin(name, HERE)
