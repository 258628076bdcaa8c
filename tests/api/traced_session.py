"""A whole sign-in with everything traced, in a process of its own: `python -m tests.api.traced_session PASSWORD`.

Prints one JSON object: what must stay secret, and what was said where.
"""

import asyncio
import io
import json
import logging
import sys

import httpx
import logfire
from logfire.testing import TestExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from redis.asyncio import Redis
from sqlalchemy import text

from backend.api.app import create_app
from backend.cli.http_server import serving
from backend.db.models.federation import Account
from backend.db.session import database
from backend.domains.federation.vault import unseal
from backend.settings import get_settings
from tests.domains.federation.rooms import schedule_ask_handle


async def _ended(run_id: str, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            run = (await client.get(f"/runs/{run_id}")).json()
            if run["state"] == "succeeded" or run["parked_on"]:
                return
            await asyncio.sleep(0.1)


async def _ledger() -> str:
    async with database().reading() as session:
        rows = [
            (await session.execute(text(f"SELECT * FROM {table}"))).all() for table in ("runs", "attempts", "sign_ins")
        ]
    return repr(rows)


async def _redis(url: str) -> str:
    async with Redis.from_url(url, protocol=2) as client:
        return repr([(key, await client.dump(key)) async for key in client.scan_iter("*", count=1000)])


async def main(password: str) -> dict[str, object]:
    """Sign in, let a run call the account's server, sign out, let another run wait; with a wrong password first."""
    exporter, logs, said = TestExporter(), io.StringIO(), []
    logfire.configure(
        send_to_logfire=False, console=False, distributed_tracing=True,
        additional_span_processors=[SimpleSpanProcessor(exporter)],
    )  # fmt: skip
    logging.basicConfig(level=logging.DEBUG, stream=logs, force=True)
    app = create_app(get_settings())
    logfire.instrument_fastapi(app)
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
        said += [(await client.get("/runs")).text, repr(account.credentials)]
        in_redis, in_ledger = await _redis(get_settings().docket.url or ""), await _ledger()
    settings = [repr(section) for section in vars(get_settings()).values()]
    return {
        "secrets": {"app password": password, "access": tokens.access, "refresh": tokens.refresh, "token": token},
        "places": {
            "spans": json.dumps(exporter.exported_spans_as_dict(), default=str),
            "logs": logs.getvalue(),
            "redis": in_redis,
            "ledger": in_ledger,
            "answers": "\n".join(said),
            "settings": "\n".join(settings),
        },
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
