"""Everything that can go wrong, for every kind of record: a real crew, a real PDS, and a proxy that fails between them.

A new kind is one line in `kinds.py`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest
from atproto import AsyncClient

from backend._internal.background import background
from backend.db.base import now
from backend.db.ids import new_id
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.records import RecordState
from backend.runtime.queues import resume_queue
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, account_row, alice_signs_in, spoil_access
from tests.domains.federation.kinds import KINDS, Social
from tests.domains.federation.trial import Trial, hurry
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import PASSWORD, NetworkServer

PUT, DELETE, REFRESH = (
    "com.atproto.repo.putRecord",
    "com.atproto.repo.deleteRecord",
    "com.atproto.server.refreshSession",
)
WORKER = [sys.executable, "-m", "backend.worker"]
CHANGEABLE = [social for social in KINDS if social.change]
REMOVABLE = [social for social in KINDS if social.withdraw]

every_kind = pytest.mark.parametrize("social", KINDS, ids=str)


@pytest.fixture
async def crew(platform: NetworkServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A crew in this process that looks for work often."""
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{token_hex(6)}", RUNNER_POLL_S="0.05",
        RUNNER_SHUTDOWN_GRACE_S="0.3",
    )  # fmt: skip
    async with background(get_settings(), "worker"):
        yield


@pytest.fixture
async def trial(
    crew: None, platform: NetworkServer, faulty: FaultyPds, alice_password: str, request: pytest.FixtureRequest
) -> Trial:
    """alice's record of the kind that the test names."""
    await alice_signs_in(platform, alice_password, faulty)
    prepared = Trial(request.getfixturevalue("social"), platform.alice.did, platform.pds_url)
    await prepared.prepare()
    return prepared


@every_kind
async def test_every_run_runs_twice(social: Social, trial: Trial, faulty: FaultyPds) -> None:
    before = faulty.calls[trial.puts]
    await trial.wish()
    await trial.work()
    await trial.is_as_wanted()
    await trial.again()
    assert faulty.calls[trial.puts] == before + 1
    await trial.is_as_wanted()


@every_kind
@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(hang_up=True),
        Fault(hang_up=True, reached=True),
        Fault(),
        Fault(reached=True),
        Fault(401, "ExpiredToken"),
    ],
    ids=["500", "hung up", "answer lost", "silence", "answer late", "401"],
)
async def test_a_failed_attempt_loses_and_doubles_nothing(
    social: Social, trial: Trial, faulty: FaultyPds, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.status is None and not fault.hang_up:
        set_environment(monkeypatch, OUTBOUND_TIMEOUT_S="1")
    faulty.plan(PUT, Fault(**vars(fault)))
    await trial.wish()
    await trial.work()
    await trial.is_as_wanted()
    first = (await trial.row()).wanted
    assert first is not None
    if social.change:
        faulty.plan(PUT, Fault(**vars(fault)))
        await trial.change()
        await trial.work()
        await trial.is_as_wanted()
        assert (await trial.row()).wanted != first
    if social.withdraw:
        faulty.plan(DELETE, Fault(**vars(fault)))
        await trial.withdraw()
        await trial.work()
        assert await trial.there() == []
        await trial.is_as_wanted()
    assert not any(faulty.faults.values())


@every_kind
async def test_a_server_that_asks_to_wait_is_left_alone(social: Social, trial: Trial, faulty: FaultyPds) -> None:
    faulty.plan(PUT, Fault(429, "RateLimitExceeded", {"Retry-After": "1800"}))
    await trial.wish()
    waiting = await trial.work_until("scheduled", "RateLimited")
    assert waiting.due_at
    assert 1700 < (waiting.due_at - now()).total_seconds() < 1900
    seen = await trial.seen()
    assert (seen.state, "429" in str(seen.error)) == (RecordState.FAILING, True)
    await trial.work()
    await trial.is_as_wanted()


@every_kind
async def test_credentials_that_ended_wait_for_the_sign_in(
    social: Social, trial: Trial, faulty: FaultyPds, platform: NetworkServer, alice_password: str
) -> None:
    await trial.wish()
    await spoil_access(trial.did)
    faulty.plan(REFRESH, Fault(400, "ExpiredToken"))
    await trial.work_until("waiting", "AuthExpired")
    seen = await trial.seen()
    assert (seen.state, "sign in" in str(seen.error)) == (RecordState.WAITING, True)
    await alice_signs_in(platform, alice_password, faulty)
    await trial.work()
    await trial.is_as_wanted()


@pytest.mark.parametrize("social", CHANGEABLE, ids=str)
async def test_changed_before_it_was_there(social: Social, trial: Trial, faulty: FaultyPds) -> None:
    before = faulty.calls[trial.puts]
    await trial.wish()
    await trial.change()
    await trial.work()
    await trial.is_as_wanted()
    assert faulty.calls[trial.puts] == before + 1


@pytest.mark.parametrize("social", REMOVABLE, ids=str)
async def test_taken_away_before_it_was_there(social: Social, trial: Trial, faulty: FaultyPds) -> None:
    before = faulty.calls[trial.puts]
    await trial.wish()
    await trial.withdraw()
    await trial.work()
    assert await trial.there() == []
    assert faulty.calls[trial.puts] == before


@pytest.mark.parametrize("social", REMOVABLE, ids=str)
async def test_there_gone_and_there_again(social: Social, trial: Trial) -> None:
    await trial.wish()
    await trial.work()
    [first] = await trial.there()
    await trial.withdraw()
    await trial.wish()
    await trial.work()
    await trial.is_as_wanted()
    [second] = await trial.there()
    assert (first["uri"] != second["uri"]) is social.anew


@every_kind
async def test_a_deactivated_account_waits_and_goes_on(crew: None, social: Social, platform: NetworkServer) -> None:
    account = platform.add(f"gone-{token_hex(4)}.test")
    password = platform.app_password(account)
    await sign_in(account.did, password, HERE)
    trial = Trial(social, account.did, platform.pds_url)
    await trial.prepare()
    owner = AsyncClient(f"{platform.pds_url}/xrpc")
    await owner.login(account.handle, PASSWORD, fetch_bsky_profile=False)
    await owner.com.atproto.server.deactivate_account({})
    await trial.wish()
    await trial.work_until("waiting", "AuthExpired")
    assert "deactivated" in str((await account_row(account.did)).reason).lower()
    assert (await trial.seen()).state == RecordState.WAITING
    await owner.com.atproto.server.activate_account()
    await sign_in(account.did, password, HERE)
    await trial.work()
    await trial.is_as_wanted()
    await owner.request.close()


@every_kind
async def test_a_worker_that_is_killed_between_the_two_writes(
    social: Social, platform: NetworkServer, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch,
    alice_password: str, faulty: FaultyPds, tmp_path: Path,
) -> None:  # fmt: skip
    """The PDS has written the record, and the worker dies before it hears of it. Another worker takes over."""
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{new_id()}",
                    RUNNER_REDELIVERY_S="2", RUNNER_HEARTBEAT_S="0.3", RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.3",
                    OUTBOUND_TIMEOUT_S="20")  # fmt: skip
    log = (tmp_path / "worker.log").open("wb")
    set_environment(monkeypatch, WORKERS_ENABLED="0")
    async with background(get_settings(), "api"):
        monkeypatch.delenv("WORKERS_ENABLED")
        await alice_signs_in(platform, alice_password, faulty)
        trial = Trial(social, platform.alice.did, platform.pds_url)
        await trial.prepare()
        await trial.wish()
        await hurry()
        before = faulty.calls[trial.puts]
        first = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        faulty.plan(PUT, Fault(reached=True, hang_up=True, then=lambda: os.kill(first.pid, signal.SIGKILL)))
        await resume_queue("federation")
        assert await asyncio.wait_for(first.wait(), 60) == -signal.SIGKILL
        assert len(await trial.there()) == 1
        assert (await trial.seen()).state == RecordState.PENDING
        second = await asyncio.create_subprocess_exec(*WORKER, env=dict(os.environ), stdout=log, stderr=log)
        try:
            await trial.work()
        finally:
            second.kill()
            await second.wait()
            log.close()
        await trial.is_as_wanted()
    # The repeat writes the same once more, or looks first and finds it.
    assert faulty.calls[trial.puts] in (before + 1, before + 2)
