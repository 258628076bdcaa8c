"""A trial of one kind of record: wishes, a crew that works on them when it is let, and what came of it on the PDS."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
from sqlalchemy import ColumnElement, select, update

from backend.db.base import now
from backend.db.models.federation import PdsRecord
from backend.db.models.runs import Run, State
from backend.db.session import database, unit_of_work
from backend.domains.federation.lexicons import collection_of
from backend.domains.federation.records import RecordView, find_record
from backend.errors import Conflict
from backend.runtime.queues import pause_queue, resume_queue
from backend.runtime.runs import RunFilter, cancel_run, count_runs, list_runs, requeue_run
from backend.runtime.views import RunView
from tests.domains.federation.kinds import Social

ACTIVE = RunFilter(queue="federation", state=["waiting", "queued", "scheduled", "running"])
PATIENCE_S = 60


class Trial:
    """One account's record of one kind. Nothing is written before `work` is called."""

    def __init__(self, social: Social, did: str, pds_url: str) -> None:
        self.social, self.did, self._pds_url = social, did, pds_url
        self.about = self.subject = ""
        self.puts = f"com.atproto.repo.putRecord {collection_of(social.kind)}"  # how a proxy counts its writes
        self._before: set[str] = set()

    async def prepare(self) -> None:
        """What the record is about. Records that are there now count no more."""
        await pause_queue("federation")
        await self._rest()
        self.about = await self.social.prepare(self.did)
        self._before = {record["uri"] for record in await self._all()}

    async def _rest(self) -> None:
        """What follows the sign-in is no part of the trial."""
        async with asyncio.timeout(PATIENCE_S):
            while active := await list_runs(ACTIVE, limit=100):
                for run in active:
                    with suppress(Conflict):  # it has just ended
                        await cancel_run(run.id)
                await asyncio.sleep(0.02)

    async def wish(self) -> None:
        """The record is wanted."""
        self.subject = await self.social.wish(self.did, self.about)

    async def change(self) -> None:
        """It is wanted differently."""
        assert self.social.change
        await self.social.change(self.did, self.subject)

    async def withdraw(self) -> None:
        """It is wanted no more."""
        assert self.social.withdraw
        await self.social.withdraw(self.did, self.subject)

    async def row(self) -> PdsRecord:
        """What the platform knows of the record."""
        same = select(PdsRecord).filter_by(did=self.did, kind=self.social.kind, subject=self.subject)
        async with database().reading() as session:
            return (await session.scalars(same)).one()

    async def seen(self) -> RecordView:
        """What its owner sees of it."""
        found = await find_record(self.did, self.social.kind, self.subject)
        assert found
        return found

    async def work(self) -> None:
        """Let the crew work until nothing is left to do. What waits for its time is due at once."""
        await resume_queue("federation")
        async with asyncio.timeout(PATIENCE_S):
            while await list_runs(ACTIVE, limit=1):
                await hurry()
                await asyncio.sleep(0.05)
        await pause_queue("federation")
        assert (await count_runs())["dead"] == 0

    async def work_until(self, state: str, error: str) -> RunView:
        """Let the crew work, and repeat nothing before its time, until a run is in this state because of this error."""
        await resume_queue("federation")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await hurry(Run.attempt == 0)
                found = [run for run in await list_runs(RunFilter(state=[state])) if run.error_type == error]
                if found:
                    await pause_queue("federation")
                    return found[0]
                await asyncio.sleep(0.05)

    async def again(self) -> None:
        """All that was done is done once more."""
        for run in await list_runs(RunFilter(queue="federation", state=["succeeded"]), limit=100):
            with suppress(Conflict):  # another one with its key does
                await requeue_run(run.id)
        await self.work()

    async def there(self) -> list[dict[str, Any]]:
        """The records of this kind that came since `prepare`, as anybody sees them."""
        return [record for record in await self._all() if record["uri"] not in self._before]

    async def is_as_wanted(self) -> None:
        """The server has what is wanted, once, and the row knows."""
        row = await self.row()
        assert (row.written_revision, row.error) == (row.wanted_revision, None)
        found = await self.there()
        assert [record["value"] for record in found] == ([] if row.wanted is None else [row.wanted])
        assert [record["cid"] for record in found] == ([] if row.wanted is None else [row.cid])

    async def _all(self) -> list[dict[str, Any]]:
        asked = {"repo": self.did, "collection": collection_of(self.social.kind), "limit": "100"}
        found: list[dict[str, Any]] = []
        async with httpx.AsyncClient(base_url=f"{self._pds_url}/xrpc", timeout=30) as client:
            while True:
                answer = await client.get("/com.atproto.repo.listRecords", params=asked)
                page = answer.raise_for_status().json()
                found += page["records"]
                if "cursor" not in page:
                    return found
                asked["cursor"] = page["cursor"]


async def hurry(*which: ColumnElement[bool]) -> None:
    """The time of what is scheduled has come."""
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Run).where(Run.state == State.SCHEDULED, *which).values(due_at=now()))
