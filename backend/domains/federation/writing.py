"""Writing: brings a record on its owner's server to what is wanted, however often and by whomever it is tried.

One run at a time has a record in hand, by a lease in its row. Each write says which state of the record it replaces, so
what comes late from a run that lost its lease is refused by the server, and then compared, not repeated.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, AccountState, PdsRecord
from backend.db.session import database, unit_of_work
from backend.domains.federation import leases
from backend.domains.federation.leases import ANOTHER_WRITES
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.pds import Pds, pds_of
from backend.domains.federation.records import SETTLED, RecordView, get_record
from backend.domains.federation.sending import MOST_TOGETHER, create_together, is_wanted, look_up, send
from backend.errors import BacklineError, NotFound, RateLimited, Refused, Snooze, Steer, Unavailable
from backend.runtime import Retry, scheduler, task
from backend.runtime.context import active_run_id

TRIES = 5
RETRY = Retry(attempts=10, base=5, factor=3, cap=3600)
TIMEOUT_S = 90
RECHECK_AFTER_S = 60.0
UNWRITTEN_AFTER = timedelta(minutes=5)
REPAIRED_AT_ONCE = 500


async def bring(record_id: str) -> RecordView:
    """Write, or delete, until the server has what is wanted. Nothing is sent when it has that already.

    Other new records of the account are written by the same call. Raises Snooze while another run has the record in
    hand, NotFound, AuthExpired, RateLimited, Unavailable, Refused; the row keeps the reason.
    """
    found = await _found(record_id)
    if found.state in SETTLED:
        return found
    mine = active_run_id() or new_id()
    await leases.take(record_id, mine)
    try:
        await _bring(record_id, mine)
    except BacklineError as error:
        await leases.note(record_id, mine, {"error": error.detail, "refused": error.steer is Steer.DIE})
        raise
    finally:
        await leases.give_back(mine, record_id)
    return await _found(record_id)


async def _found(record_id: str) -> RecordView:
    found = await get_record(record_id)
    if found is None:
        raise NotFound(f"there is no record {record_id}", field="record_id")
    return found


async def _bring(record_id: str, mine: str) -> None:
    for _ in range(TRIES):
        async with database().reading() as session:
            row = await session.get_one(PdsRecord, record_id)
        if row.written_revision == row.wanted_revision:
            return
        async with pds_of(row.did) as pds:
            created = await _create_with_others(pds, row, mine)
            done, cid = (True, created) if created else await send(pds, row)
        if not await _note_sent(row, mine, done, cid):
            raise Snooze("another run took this record over", after=ANOTHER_WRITES)
        if done and row.wanted is None and row.cid is None:
            # A write whose answer got lost may still arrive, and nothing on the server would refuse it.
            await schedule_recheck.using(after=RECHECK_AFTER_S)(record_id)
    raise Unavailable("the record is changed faster than it can be written")


async def _create_with_others(pds: Pds, row: PdsRecord, mine: str) -> str | None:
    """Create a new record together with others of its account and kind that wait.

    Gives its CID; None when there are none, or when they are not taken together. Then each is written by itself.
    """
    # A list that waits still changes: its own run writes it once.
    if row.kind == Kind.LIST or row.wanted is None or row.cid is not None or row.error is not None:
        return None
    others = await leases.take_new(row, mine, MOST_TOGETHER - 1)
    if not others:
        return None
    try:
        cid, *cids = await create_together(pds, [row, *others])
        for other, its in zip(others, cids, strict=True):
            await _note_sent(other, mine, True, its)
    except BacklineError as error:
        # With an error in its row none of them is sent along again, and each tells by itself what is wrong with it.
        for other in others:
            await leases.note(other.id, mine, {"error": f"not written together with others: {error.detail}"})
        # The reference PDS answers 500 when one of them is there already. A server that is away says so once more.
        if isinstance(error, RateLimited) or not isinstance(error, Refused | Unavailable):
            raise
        return None
    finally:
        await leases.give_back(mine, *(other.id for other in others))
    return cid


async def _note_sent(row: PdsRecord, mine: str, done: bool, cid: str | None) -> bool:
    """Note what the server has now. Returns False when another run took the record over meanwhile."""
    values: dict[str, Any] = {"cid": cid}
    if done:
        values |= {"written_revision": row.wanted_revision, "error": None, "refused": False}
    if await leases.note(row.id, mine, values):
        return True
    # What was written here may be older than what the other run wrote.
    await schedule_recheck.using(after=RECHECK_AFTER_S)(row.id)
    return False


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
        there = await look_up(pds, row)
    if is_wanted(row, there):
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
