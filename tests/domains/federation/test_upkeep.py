"""Runs wait for a sign-in and go on with it, and credentials move to a new key."""

import asyncio

import pytest
from sqlalchemy import update

from backend._internal.background import background
from backend.db.models.federation import Account
from backend.db.models.runs import Run
from backend.db.session import Database, unit_of_work
from backend.domains.federation.accounts import sign_out
from backend.domains.federation.tokens import subject_of
from backend.domains.federation.upkeep import release_signed_in, reseal_credentials
from backend.runtime import runs
from backend.runtime.views import RunView
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import account_row, alice_signs_in, spoil_access, tokens_of
from tests.domains.federation.rooms import schedule_ask_handle
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer


async def _until(run_id: str, *, parked: bool) -> RunView:
    async with asyncio.timeout(20):
        while True:
            run = await runs.get_run(run_id)
            if (run.parked_on is not None) if parked else run.state == "succeeded":
                return run
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine_mode", ["memory", "redis"], indirect=True)
async def test_a_run_waits_for_the_sign_in_and_goes_on(
    platform: NetworkServer, engine_mode: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch, alice_password: str,
    faulty: FaultyPds,
) -> None:  # fmt: skip
    set_environment(monkeypatch, DATABASE_URL=postgres_url, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    did = platform.alice.did
    async with background(get_settings(), "worker"):
        run = await schedule_ask_handle(did)
        waiting = await _until(run.id, parked=True)
        assert (waiting.state, waiting.parked_on, waiting.attempt) == ("waiting", subject_of(did), 0)
        first = await alice_signs_in(platform, alice_password)
        assert (await _until(run.id, parked=False)).result == "alice.test"
        # The same when the server takes the tokens no more, and when she signed out.
        second = await alice_signs_in(platform, alice_password, faulty)
        await spoil_access(did)
        faulty.plan("com.atproto.server.refreshSession", Fault(400, "ExpiredToken"))
        run = await schedule_ask_handle(did)
        await _until(run.id, parked=True)
        last = await alice_signs_in(platform, alice_password)
        await _until(run.id, parked=False)
        for each in (first, second, last):
            await sign_out(each.token)
        run = await schedule_ask_handle(did)
        await _until(run.id, parked=True)


async def test_a_run_that_was_parked_too_late_is_let_go(
    platform: NetworkServer, database: Database, alice_password: str
) -> None:
    waiting = [await schedule_ask_handle(did) for did in (platform.alice.did, platform.bob.did)]
    for run, did in zip(waiting, (platform.alice.did, platform.bob.did), strict=True):
        async with unit_of_work() as unit:
            parked = update(Run).where(Run.id == run.id).values(parked_on=subject_of(did))
            await unit.connection.execute(parked)
    assert await release_signed_in() == {"released": 0}
    await alice_signs_in(platform, alice_password)
    async with unit_of_work() as unit:
        await unit.connection.execute(
            update(Run).where(Run.id == waiting[0].id).values(parked_on=subject_of(platform.alice.did))
        )
    assert await release_signed_in() == {"released": 1}
    assert await release_signed_in() == {"released": 0}
    assert (await runs.get_run(waiting[1].id)).parked_on == subject_of(platform.bob.did)


async def test_credentials_move_to_the_newest_key(
    platform: NetworkServer, database: Database, alice_password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = get_settings().database.database_url
    assert url is not None
    set_environment(monkeypatch, ACCOUNT_KEYS="o" * 32)
    await alice_signs_in(platform, alice_password)
    await alice_signs_in(platform, alice_password)
    before, tokens = (await account_row(platform.alice.did)).credentials, await tokens_of(platform.alice.did)
    set_environment(monkeypatch, ACCOUNT_KEYS=f"{'n' * 32},{'o' * 32}")
    # One account, and one set of credentials that is to be revoked.
    assert await reseal_credentials() == {"resealed": 2}
    set_environment(monkeypatch, ACCOUNT_KEYS="n" * 32)
    assert await tokens_of(platform.alice.did) == tokens
    assert (await account_row(platform.alice.did)).credentials != before
    async with database.unit() as unit:
        await unit.connection.execute(update(Account).values(credentials=None))
    assert (await reseal_credentials())["resealed"] == 1
