"""No credential is anywhere but encrypted: looked for by its value, after real sign-ins by app password and with OAuth."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from secrets import token_hex

import pytest

from tests.conftest import set_environment
from tests.network.server import NetworkServer


def test_no_credential_is_anywhere(
    network: NetworkServer, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"account-key-{token_hex(24)}"
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{token_hex(6)}", ACCOUNT_KEYS=key,
        ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1", RUNNER_POLL_S="0.2",
    )  # fmt: skip
    alice = json.dumps(asdict(network.alice))
    command = [sys.executable, "-m", "tests.api.traced_session", network.app_password(network.alice), alice]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    places = found["places"]
    # What is looked into holds what it should, or the search would find nothing for the wrong reason.
    for spans in (places["spans"], places["kept spans"]):
        assert "com.atproto.server.createSession" in spans
        assert "POST /session" in spans
        assert "/oauth/token" in spans
    assert '"GET /oauth/callback HTTP/1.1" 303' in places["logs"]
    assert "com.atproto.server.getSession" in places["logs"]
    assert "ask_handle" in places["redis"] + places["ledger"]
    assert "must sign in again" in places["ledger"]
    assert "alice.test" in places["answers"]
    assert "account_keys=SecretStr('**********')" in places["settings"]
    secrets = found["secrets"] | {"key": key, "wrong password": f"wrong-{found['secrets']['app password']}"}
    assert network.alice.did in places["accounts"]
    assert len(secrets["refresh"]) > 100
    assert [name for name, value in secrets.items() if len(value) < 19] == []
    leaks = [f"{name} in {place}" for name, value in secrets.items() for place, text in places.items() if value in text]
    assert leaks == []
    assert secrets["app password"] not in done.stderr
