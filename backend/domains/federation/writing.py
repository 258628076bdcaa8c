"""Writing: brings a record on its owner's server to what is wanted, however often and by whomever it is tried.

One run at a time has a record in hand, by a lease in its row. Each write says which state of the record it replaces, so
what comes late from a run that lost its lease is refused by the server, and then compared, not repeated.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select, update

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, AccountState, PdsRecord
from backend.db.session import database, unit_of_work
from backend.domains.federation.merging import SHARED, merged
from backend.domains.federation.pds import Pds, pds_of
from backend.domains.federation.records import RecordView, get_record
from backend.errors import BacklineError, NotFound, Refused, Snooze, Steer, Unavailable
from backend.runtime import Retry, scheduler, task
from backend.runtime.context import active_run_id

LEASE = timedelta(seconds=120)  # longer than the slowest write
ANOTHER_WRITES = timedelta(seconds=1)
TRIES = 5
RETRY = Retry(attempts=10, base=5, factor=3, cap=3600)
TIMEOUT_S = 90
RECHECK_AFTER_S = 60.0
UNWRITTEN_AFTER = timedelta(minutes=5)
REPAIRED_AT_ONCE = 500


async def bring(record_id: str) -> RecordView:
    """Write, or delete, until the server has what is wanted. Nothing is sent when it has that already.

    Raises Snooze while another run has the record in hand, AuthExpired, RateLimited, Unavailable, Refused; the row keeps
    the reason.
    """
    mine = active_run_id() or new_id()
    await _take(record_id, mine)
    try:
        await _bring(record_id, mine)
    except BacklineError as error:
        refused = error.steer is Steer.DIE
        await _change(record_id, mine, {"error": error.detail, "refused": refused})
        raise
    finally:
        # This alone is no news about the record.
        given_back = {"writer": None, "writer_until": None, "updated_at": PdsRecord.updated_at}
        await _change(record_id, mine, given_back)
    found = await get_record(record_id)
    assert found is not None
    return found


async def _bring(record_id: str, mine: str) -> None:
    for _ in range(TRIES):
        async with database().reading() as session:
            row = await session.get_one(PdsRecord, record_id)
        if row.written_revision == row.wanted_revision:
            return
        async with pds_of(row.did) as pds:
            done, cid = await _send(pds, row)
        values: dict[str, Any] = {"cid": cid}
        if done:
            values |= {"written_revision": row.wanted_revision, "error": None, "refused": False}
        if not await _change(record_id, mine, values):
            # What was written here may be older than what the other run wrote.
            await schedule_recheck.using(after=RECHECK_AFTER_S)(record_id)
            raise Snooze("another run took this record over", after=ANOTHER_WRITES)
        if done and row.wanted is None and row.cid is None:
            # A write whose answer got lost may still arrive, and nothing on the server would refuse it.
            await schedule_recheck.using(after=RECHECK_AFTER_S)(record_id)
    raise Unavailable("the record is changed faster than it can be written")


async def _send(pds: Pds, row: PdsRecord) -> tuple[bool, str | None]:
    """Make the server's record what this row wants. Returns whether it is now, and the CID of what is there."""
    record, replaced = row.wanted, row.cid
    if row.kind in SHARED:
        there = await _there(pds, row)
        if there and _is_wanted(row, there):
            return True, str(there["cid"])
        record, replaced = merged(row.kind, record, there and there["value"]), str(there["cid"]) if there else None
    try:
        if row.wanted is None:
            swap = {"swapRecord": row.cid} if row.cid else {}
            await pds.procedure("com.atproto.repo.deleteRecord", _place(row) | swap)
            return True, None
        body = {**_place(row), "record": record, "swapRecord": replaced, "validate": False}
        return True, str((await pds.procedure("com.atproto.repo.putRecord", body))["cid"])
    except Refused as error:
        if error.name != "InvalidSwap":
            raise
    # Somebody else changed it, or an attempt wrote it and could not note that.
    there = await _there(pds, row)
    return _is_wanted(row, there), str(there["cid"]) if there else None


def _place(row: PdsRecord) -> dict[str, str]:
    return {"repo": row.did, "collection": row.collection, "rkey": row.rkey}


def _is_wanted(row: PdsRecord, there: dict[str, Any] | None) -> bool:
    found = there["value"] if there else None
    return bool(found == merged(row.kind, row.wanted, found))


async def _there(pds: Pds, row: PdsRecord) -> dict[str, Any] | None:
    try:
        return await pds.query("com.atproto.repo.getRecord", **_place(row))
    except Refused as error:
        if error.name == "RecordNotFound":
            return None
        await pds.must_be_active()
        raise


async def _take(record_id: str, mine: str) -> None:
    moment = now()
    free = or_(PdsRecord.writer.is_(None), PdsRecord.writer == mine, PdsRecord.writer_until < moment)
    statement = (
        update(PdsRecord)
        .where(PdsRecord.id == record_id, free)
        .values(writer=mine, writer_until=moment + LEASE, updated_at=PdsRecord.updated_at)
    )
    async with unit_of_work() as unit:
        taken = (await unit.connection.execute(statement)).rowcount
    if taken:
        return
    if await get_record(record_id) is None:
        raise NotFound(f"there is no record {record_id}", field="record_id")
    raise Snooze("another run writes this record", after=ANOTHER_WRITES)


async def _change(record_id: str, mine: str, values: dict[str, Any]) -> bool:
    """Write this into the row, if it is still in hand here. Returns whether it was."""
    statement = update(PdsRecord).where(PdsRecord.id == record_id, PdsRecord.writer == mine).values(**values)
    async with unit_of_work() as unit:
        return bool((await unit.connection.execute(statement)).rowcount)


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="write:{record_id}:{revision}")
async def write_record(record_id: str, revision: int) -> dict[str, object]:
    """Bring a record to what is wanted now. A repeat finds it written. `revision` only tells one wish from the next."""
    done = await bring(record_id)
    return {"uri": done.uri, "cid": done.cid, "state": done.state}


schedule_record_write = scheduler(write_record)


async def recheck(record_id: str) -> bool:
    """Look whether the server has what we believe, and bring it there if not. Returns whether it had."""
    async with database().reading() as session:
        row = await session.get(PdsRecord, record_id)
    if row is None or row.written_revision != row.wanted_revision:
        return True  # a write is on its way anyway
    async with pds_of(row.did) as pds:
        there = await _there(pds, row)
    if _is_wanted(row, there):
        return True
    statement = (
        update(PdsRecord)
        .where(PdsRecord.id == record_id, PdsRecord.wanted_revision == row.wanted_revision)
        .values(wanted_revision=row.wanted_revision + 1, cid=there["cid"] if there else None)
    )
    async with unit_of_work() as unit:
        await unit.connection.execute(statement)
    await bring(record_id)
    return False


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="recheck:{record_id}")
async def recheck_record(record_id: str) -> dict[str, bool]:
    """Look at a record once more, after its write was uncertain. A repeat looks again."""
    return {"as_wanted": await recheck(record_id)}


schedule_recheck = scheduler(recheck_record)


async def unwritten(limit: int = REPAIRED_AT_ONCE) -> list[tuple[str, int]]:
    """Records, with their revisions, that have not been written for a while although their owner is signed in."""
    statement = (
        select(PdsRecord.id, PdsRecord.wanted_revision)
        .join(Account, Account.did == PdsRecord.did)
        .where(
            PdsRecord.written_revision != PdsRecord.wanted_revision,
            PdsRecord.updated_at < now() - UNWRITTEN_AFTER,
            PdsRecord.refused.is_(False),
            Account.state == AccountState.ACTIVE,
        )
        .order_by(PdsRecord.updated_at)
        .limit(limit)
    )
    async with database().reading() as session:
        return [(row[0], row[1]) for row in (await session.execute(statement)).all()]


@task(queue="upkeep", cron="*/5 * * * *")
async def repair_records() -> dict[str, int]:
    """Write what stayed unwritten, whatever became of its run. A repeat finds the same runs active."""
    found = await unwritten()
    created = [(await schedule_record_write(*each)).created for each in found]
    return {"unwritten": len(found), "scheduled": sum(created)}


schedule_repair_records = scheduler(repair_records)
