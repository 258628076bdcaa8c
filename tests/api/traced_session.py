"""Two whole sign-ins with everything traced, in a process of its own: `python -m tests.api.traced_session PASSWORD ACCOUNT`.

The first is by app password, the second with OAuth; ACCOUNT is JSON.

Prints one JSON object: what must stay secret, and what was said where.
"""

import asyncio
import io
import json
import logging
import subprocess
import sys
import urllib.request
from urllib.parse import parse_qsl, urlsplit

import httpx
import logfire
from logfire.testing import TestExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from redis.asyncio import Redis
from sqlalchemy import select, text

from backend.api.app import create_app, trace_requests
from backend.api.serving import serving
from backend.db.models.federation import Account, OAuthRequest
from backend.db.session import database
from backend.domains.federation.vault import unlock, unseal
from backend.runtime.spans import kept_spans, spans_directory
from backend.settings import get_settings
from tests.domains.federation.conftest import spoil_access, tokens_of
from tests.domains.federation.rooms import schedule_ask_handle


async def _ended(run_id: str, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            run = (await client.get(f"/runs/{run_id}")).json()
            if run["state"] == "succeeded" or run["parked_on"]:
                return
            await asyncio.sleep(0.1)


async def _tables(*names: str) -> str:
    async with database().reading() as session:
        return repr([(await session.execute(text(f"SELECT * FROM {name}"))).all() for name in names])


async def _ledger() -> str:
    return await _tables("runs", "attempts", "sign_ins")


async def _accounts() -> str:
    return await _tables("accounts", "revocations", "oauth_requests", "sign_in_attempts")


def _begin(url: str, handle: str) -> tuple[str, str]:
    """The authorization URL and the cookie. By a client that logs nothing: httpx would write the cookie into our log."""
    body = json.dumps({"identifier": handle}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["url"], answer.headers["Set-Cookie"].partition(";")[0]


async def _by_oauth(client: httpx.AsyncClient, account: dict[str, str], said: list[str]) -> tuple[dict[str, str], str]:
    """Sign in with OAuth, let a run refresh the tokens, sign out. Returns what must stay secret, and what was stored."""
    url, cookie = await asyncio.to_thread(_begin, f"{client.base_url}/session/oauth", account["handle"])
    async with database().reading() as session:
        row = (await session.scalars(select(OAuthRequest))).one()
    secrets, stored = unlock(row.did, row.secrets), await _accounts()
    told = {
        "pds": get_settings().network.atproto_handle_url, "url": url, "account": account,
        "platform": str(client.base_url), "cookie": cookie,
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.api.other_browser", json.dumps(told)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    arrived = json.loads(done.stdout)
    secrets |= dict(parse_qsl(urlsplit(arrived["back"]).query))
    await spoil_access(account["did"])
    before = await tokens_of(account["did"])
    await _ended((await schedule_ask_handle(account["did"])).id, client)
    after = await tokens_of(account["did"])
    assert before.access != after.access
    stored += await _accounts()
    bearer = {"Authorization": f"Bearer {arrived['token']}"}
    said.append((await client.get("/session", headers=bearer)).text)
    await client.delete("/session", headers=bearer)
    stored += await _accounts()
    found = {"verifier": secrets["verifier"], "state": secrets["state"], "code": secrets["code"]}
    found |= {
        "DPoP key": secrets["grant"]["key"].splitlines()[1],
        "browser": cookie.partition("=")[2],
        "cookie": arrived["token"],
    }
    found |= {"old refresh": before.refresh, "granted access": after.access, "granted refresh": after.refresh}
    return found, stored


async def _redis(url: str) -> str:
    async with Redis.from_url(url, protocol=2) as client:
        return repr([(key, await client.dump(key)) async for key in client.scan_iter("*", count=1000)])


async def main(password: str, alice: dict[str, str]) -> dict[str, object]:
    """Sign in, let a run call the account's server, sign out, let another run wait; with a wrong password first."""
    exporter, logs, said = TestExporter(), io.StringIO(), []
    logfire.configure(
        send_to_logfire=False, console=False, distributed_tracing=True,
        additional_span_processors=[SimpleSpanProcessor(exporter), kept_spans("test", get_settings())],
    )  # fmt: skip
    logging.basicConfig(level=logging.DEBUG, stream=logs, force=True)
    app = create_app(get_settings())
    trace_requests(app)
    logfire.instrument_httpx()
    logfire.instrument_redis()
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        logfire.instrument_sqlalchemy(database().engine)
        for tried in ("wrong-" + password, password):
            body = {"identifier": "alice.test", "app_password": tried, "by": "token"}
            answer = await client.post("/session", json=body)
        token = answer.json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        async with database().reading() as session:
            account = await session.get_one(Account, answer.json()["did"])
        tokens = unseal(account.did, account.credentials or "")
        for path in ("/session", "/nowhere", "/runs", "/tracks/none/publication"):
            said.append((await client.get(path, headers=bearer)).text)
        await _ended((await schedule_ask_handle(account.did)).id, client)
        await client.delete("/session", headers=bearer)
        await _ended((await schedule_ask_handle(account.did)).id, client)
        granted, stored = await _by_oauth(client, alice, said)
        said += [(await client.get("/runs")).text, repr(account.credentials)]
        in_redis, in_ledger = await _redis(get_settings().docket.url or ""), await _ledger()
    logfire.force_flush()
    kept = [file.read_text() for file in spans_directory(get_settings()).iterdir()]
    settings = [repr(section) for section in vars(get_settings()).values()]
    return {
        "secrets": granted
        | {"app password": password, "access": tokens.access, "refresh": tokens.refresh, "token": token},
        "places": {
            "spans": json.dumps(exporter.exported_spans_as_dict(), default=str),
            "kept spans": "".join(kept),
            "logs": logs.getvalue(),
            "redis": in_redis,
            "ledger": in_ledger,
            "accounts": stored,
            "answers": "\n".join(said),
            "settings": "\n".join(settings),
        },
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))))
