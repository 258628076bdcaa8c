"""Another program that people use on their own servers, and what the platform makes of what they do there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import delete, select

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.network import KnownRecord
from backend.db.models.runs import Run
from backend.db.session import database, unit_of_work
from backend.domains.federation.heeding import heed_account_of, heed_record_at
from backend.domains.federation.reading import read
from backend.domains.federation.tid import new_tid
from tests.network.server import TIMEOUT_S, Account, NetworkServer

SINCE = "2026-11-23T09:14:03.250Z"
TRACK = {"title": "One", "artist": "Anna", "fileType": "flac", "createdAt": SINCE}


class OtherClient:
    """Somebody's other program, signed in on their server."""

    def __init__(self, http: httpx.AsyncClient, did: str) -> None:
        self._http, self.did = http, did

    async def call(self, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A procedure of their server."""
        answer = await self._http.post(method, json=body)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    async def put(self, collection: str, rkey: str = "", **record: object) -> str:
        """Write a record of ours. Returns its address."""
        nsid = f"fm.backline.{collection}"
        place = {"repo": self.did, "collection": nsid, "rkey": rkey or new_tid()}
        body = {**place, "record": {"$type": nsid, **record}, "validate": False}
        put = await self.call("com.atproto.repo.putRecord", body)
        return str(put["uri"])

    async def like(self, subject: object) -> str:
        """Like a record, which is given by uri and cid."""
        return await self.put("like", subject={"uri": subject.uri, "cid": subject.cid}, createdAt=SINCE)

    async def comment(self, subject: object, text: str, uri: str = "", at: int = 5) -> str:
        """Comment on a record, or say it differently."""
        about = {"uri": subject.uri, "cid": subject.cid}
        key = uri.rpartition("/")[2]
        return await self.put("comment", key, subject=about, text=text, timestampMs=at, createdAt=SINCE)

    async def delete(self, uri: str) -> None:
        """Delete a record."""
        _, _, did, collection, rkey = uri.split("/")
        place = {"repo": did, "collection": collection, "rkey": rkey}
        await self.call("com.atproto.repo.deleteRecord", place)


@asynccontextmanager
async def other_client(network: NetworkServer, account: Account) -> AsyncIterator[OtherClient]:
    """This account's other program."""
    async with httpx.AsyncClient(base_url=f"{network.behind}/xrpc/", timeout=TIMEOUT_S) as http:
        client = OtherClient(http, account.did)
        body = {"identifier": account.did, "password": account.password}
        session = await client.call("com.atproto.server.createSession", body)
        http.headers["Authorization"] = f"Bearer {session['accessJwt']}"
        yield client


async def read_all(marker: OtherClient) -> None:
    """Read until everything that happened before this call was read."""
    uri = await marker.put("track", **TRACK, description=new_id())
    for _ in range(60):
        await read(now() + timedelta(seconds=0.6))
        async with database().reading() as session:
            if await session.get(KnownRecord, uri) is not None:
                return
    raise AssertionError("the stream never came so far")


async def heed_all(task: str = "heed_record") -> list[str]:
    """Do what reading left to do, as the runs of this task would. Returns in a word what came of each."""
    statement = select(Run).where(Run.task == task).order_by(Run.id)
    async with database().reading() as session:
        runs = list(await session.scalars(statement))
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(Run).where(Run.id.in_([run.id for run in runs])))
    work = {"heed_record": heed_record_at, "heed_account": heed_account_of}[task]
    return [await work(*run.args.values()) for run in runs]
