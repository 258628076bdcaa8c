"""Credentials from OAuth at work: proofs, nonces, one refresh for all, and their end, at a real authorization server."""

import asyncio

import pytest
from atproto import AsyncClient

from backend._internal.background import background
from backend.adapters.dpop import new_key, nonces
from backend.adapters.outbound import outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.db.ids import new_id
from backend.db.models.media import Track
from backend.db.session import Database
from backend.domains.federation.accounts import sign_out
from backend.domains.federation.grants import refresh_granted, revoke_granted
from backend.domains.federation.pds import pds_of
from backend.domains.federation.publication import publish, request_publication
from backend.domains.federation.tokens import credentials_of, subject_of
from backend.domains.federation.upkeep import reseal_credentials
from backend.errors import AuthExpired, Refused, Unavailable
from backend.runtime import runs
from backend.runtime.views import RunView
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import (
    account_row,
    alice_signs_in,
    oauth_sign_in,
    ready_track,
    revoke_all,
    spoil_access,
    tokens_of,
)
from tests.domains.federation.rooms import schedule_ask_handle
from tests.domains.federation.sounds import Alices, Bytes, mp3
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

SESSION = "com.atproto.server.getSession"


async def _ask(did: str) -> str:
    async with pds_of(did) as pds:
        return str((await pds.query(SESSION))["handle"])


async def _takes(did: str) -> bool:
    """Whether the server still gives new tokens for what the account has. Uses it up."""
    tokens = await tokens_of(did)
    assert tokens.grant is not None
    async with outbound() as http:
        try:
            await refresh_granted(http, did, tokens.refresh, tokens.grant)
        except TokenRefused:
            return False
    return True


async def test_a_record_is_written_and_reads_the_same_elsewhere(platform: NetworkServer, database: Database) -> None:
    await oauth_sign_in(platform, platform.alice)
    track_id = await ready_track(platform.alice.did, "With a proof")
    await request_publication(track_id)
    done = await publish(track_id)
    client = AsyncClient(f"{platform.pds_url}/xrpc")
    there = await client.com.atproto.repo.get_record(
        {"repo": platform.alice.did, "collection": "fm.backline.track", "rkey": done.uri.rpartition("/")[2]}
    )
    await client.request.close()
    assert (there.uri, there.cid, there.value["title"]) == (done.uri, done.cid, "With a proof")


async def test_a_blob_is_sent_anew_with_another_nonce(platform: NetworkServer, sqlite_database: Database) -> None:
    await oauth_sign_in(platform, platform.alice)
    track_id, content = await ready_track(platform.alice.did), mp3(new_id())
    async with sqlite_database.reading() as session:
        version_id = str((await session.get_one(Track, track_id)).current_version_id)
    await request_publication(track_id)
    await publish(track_id)
    nonces[platform.pds_url] = "outdated"
    alice, sound = Alices(platform, track_id, version_id), Bytes(content)
    await alice.save(sound)
    assert (await alice.fetched(), sound.sent) == (content, 2)


async def test_a_token_without_its_key_is_worth_nothing(platform: NetworkServer, sqlite_database: Database) -> None:
    await oauth_sign_in(platform, platform.alice)
    tokens = await tokens_of(platform.alice.did)
    assert tokens.grant is not None
    async with outbound() as http:
        for key in (None, new_key()):
            with pytest.raises(TokenRefused):
                await Xrpc(http, platform.pds_url, tokens.access, key).query(SESSION)
        assert await Xrpc(http, platform.pds_url, tokens.access, tokens.grant.key).query(SESSION)


async def test_a_server_may_want_another_nonce_at_any_time(
    front: FaultyPds, fronted_network: NetworkServer, sqlite_database: Database
) -> None:
    did, origin = fronted_network.alice.did, fronted_network.pds_url
    await oauth_sign_in(fronted_network, fronted_network.alice)
    before = front.calls.copy()
    assert [await _ask(did), await _ask(did)] == ["alice.test"] * 2
    # Learnt from the answers before, it is sent at once.
    assert (front.calls - before)[SESSION] == 2
    nonces[origin] = "outdated"
    assert await _ask(did) == "alice.test"
    assert (front.calls - before)[SESSION] == 4
    await spoil_access(did)
    # The request for new tokens meets an outdated nonce as well.
    front.plan(SESSION, Fault(401, "invalid_token", headers={"DPoP-Nonce": "outdated"}))
    before = front.calls.copy()
    assert await _ask(did) == "alice.test"
    assert (front.calls - before)["token"] == 2
    nonces[origin] = "outdated"
    front.plan(SESSION, *[Fault(401, "use_dpop_nonce", headers={"DPoP-Nonce": "never enough"})] * 4)
    with pytest.raises(AuthExpired):
        await _ask(did)


async def test_refused_tokens_are_replaced_once_for_everybody(
    front: FaultyPds, fronted_network: NetworkServer, database: Database
) -> None:
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    await spoil_access(did)
    old, before = await tokens_of(did), front.calls["token"]
    assert await asyncio.gather(*(_ask(did) for _ in range(12))) == ["alice.test"] * 12
    assert front.calls["token"] == before + 1
    row, new = await account_row(did), await tokens_of(did)
    assert (row.generation, row.refreshing, row.state) == (2, None, "active")
    assert (new.grant, new.refresh != old.refresh, new.access != old.access) == (old.grant, True, True)


@pytest.mark.parametrize(
    ("endpoint", "fault", "error"),
    [
        ("token", Fault(500), Unavailable),
        ("token", Fault(hang_up=True), Unavailable),
        ("oauth-authorization-server", Fault(503), Unavailable),
        ("token", Fault(400, "invalid_client"), Refused),  # what is wrong is ours, not the account's
    ],
)
async def test_a_server_that_is_away_costs_no_sign_in(
    front: FaultyPds, fronted_network: NetworkServer, sqlite_database: Database, endpoint: str, fault: Fault,
    error: type[Exception],
) -> None:  # fmt: skip
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    await spoil_access(did)
    front.plan(endpoint, fault)
    with pytest.raises(error):
        await _ask(did)
    assert (await account_row(did)).refreshing is None
    assert await _ask(did) == "alice.test"


async def test_who_is_cancelled_during_the_refresh_loses_nothing(
    front: FaultyPds, fronted_network: NetworkServer, sqlite_database: Database
) -> None:
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    await spoil_access(did)
    before, go = front.calls["token"], asyncio.Event()
    front.plan("token", Fault(hold=go))
    asking = asyncio.create_task(_ask(did))
    async with asyncio.timeout(10):
        while front.calls["token"] == before:  # noqa: ASYNC110  it counts, and calls nobody
            await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    another = asyncio.create_task(_ask(did))
    go.set()
    assert await another == "alice.test"
    assert front.calls["token"] == before + 1
    row = await account_row(did)
    assert (row.generation, row.refreshing, row.state) == (2, None, "active")


async def test_a_refresh_whose_answer_got_lost_needs_a_sign_in(
    front: FaultyPds, fronted_network: NetworkServer, sqlite_database: Database
) -> None:
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    await spoil_access(did)
    front.plan("token", Fault(hang_up=True, reached=True))
    with pytest.raises(Unavailable):
        await _ask(did)
    with pytest.raises(AuthExpired, match="invalid_grant"):
        await _ask(did)
    assert (await account_row(did)).state == "expired"


async def _until(run_id: str, *, parked: bool) -> RunView:
    async with asyncio.timeout(30):
        while True:
            run = await runs.get_run(run_id)
            if (run.parked_on is not None) if parked else run.state == "succeeded":
                return run
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_a_run_waits_while_the_grant_is_revoked_and_goes_on_with_the_next(
    platform: NetworkServer, engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    did = platform.alice.did
    async with background(get_settings(), "worker"):
        await oauth_sign_in(platform, platform.alice)
        assert (await _until((await schedule_ask_handle(did)).id, parked=False)).result == "alice.test"
        async with outbound() as http:
            await revoke_granted(http, await tokens_of(did))
        run = await schedule_ask_handle(did)
        waiting = await _until(run.id, parked=True)
        assert (waiting.state, waiting.parked_on, waiting.attempt) == ("waiting", subject_of(did), 0)
        row = await account_row(did)
        assert (row.state, row.credentials) == ("expired", None)
        assert "invalid_grant" in str(row.reason)
        await oauth_sign_in(platform, platform.alice)
        assert (await _until(run.id, parked=False)).result == "alice.test"


async def test_the_last_sign_out_revokes(platform: NetworkServer, database: Database) -> None:
    did = platform.alice.did
    done = await oauth_sign_in(platform, platform.alice)
    tokens = await tokens_of(did)
    await sign_out(done.token)
    assert (await account_row(did)).state == "signed_out"
    assert await revoke_all(database) == [True]
    assert tokens.grant is not None
    async with outbound() as http:
        with pytest.raises(TokenRefused):
            await refresh_granted(http, did, tokens.refresh, tokens.grant)
        with pytest.raises(TokenRefused):
            await Xrpc(http, platform.pds_url, tokens.access, tokens.grant.key).query(SESSION)
        # What has ended already is no error.
        await revoke_granted(http, tokens)
    with pytest.raises(AuthExpired, match="signed out"):
        await credentials_of(did)


async def test_a_new_sign_in_of_either_kind_revokes_the_one_before(
    platform: NetworkServer, sqlite_database: Database, alice_password: str
) -> None:
    did = platform.alice.did
    await oauth_sign_in(platform, platform.alice)
    first = await tokens_of(did)
    await alice_signs_in(platform, alice_password)
    assert (await tokens_of(did)).grant is None
    await oauth_sign_in(platform, platform.alice)
    assert await revoke_all(sqlite_database) == [True, True]
    assert first.grant is not None
    async with outbound() as http:
        with pytest.raises(TokenRefused):
            await refresh_granted(http, did, first.refresh, first.grant)
    assert await _takes(did)


async def test_what_the_sign_in_does_not_allow_needs_another_one(
    platform: NetworkServer, sqlite_database: Database
) -> None:
    did = platform.alice.did
    await oauth_sign_in(platform, platform.alice)
    record = {"repo": did, "collection": "com.example.thing", "rkey": "self", "record": {"a": 1}}
    async with pds_of(did) as pds:
        with pytest.raises(AuthExpired, match=r"repo:com\.example\.thing"):
            await pds.procedure("com.atproto.repo.putRecord", record)
        with pytest.raises(AuthExpired, match="must sign in again"):
            await _ask(did)
    assert (await account_row(did)).state == "expired"
    await oauth_sign_in(platform, platform.alice)
    assert await revoke_all(sqlite_database) == [True]
    assert await _ask(did) == "alice.test"


async def test_keys_move_with_their_tokens_to_the_newest_key(
    platform: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, ACCOUNT_KEYS="o" * 32)
    await oauth_sign_in(platform, platform.alice)
    tokens = await tokens_of(platform.alice.did)
    set_environment(monkeypatch, ACCOUNT_KEYS=f"{'n' * 32},{'o' * 32}")
    await reseal_credentials()
    set_environment(monkeypatch, ACCOUNT_KEYS="n" * 32)
    assert await tokens_of(platform.alice.did) == tokens
    assert await _ask(platform.alice.did) == "alice.test"
