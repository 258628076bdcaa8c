"""Sweep: objects that nobody refers to any more are removed after a time of grace."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from backend.db.base import now
from backend.db.models.media import Asset, UnreferencedObject
from backend.db.session import Unit, database, unit_of_work
from backend.domains.media.references import asset_is_referenced, unreferenced
from backend.errors import NotFound
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings
from backend.storage import Bucket, ObjectInfo, ObjectKey, storage

BATCH = 200  # objects that are held in memory, and asked about in one statement
FORGOTTEN = timedelta(days=30)  # after its grace; then somebody else removed the object


@dataclass
class Swept:
    """What a sweep did. `seen` counts all objects; `waiting` those in their grace; `removed` what went, also in bytes."""

    seen: int = 0
    waiting: int = 0
    removed: int = 0
    removed_bytes: int = 0


async def sweep(grace: timedelta, at: datetime | None = None) -> Swept:
    """Note the objects that nobody refers to, and remove those for which that was noted `grace` ago or longer.

    The stores are listed page by page, so memory does not grow with them. `at` stands for this moment. Raises Unavailable
    when a store does not answer.
    """
    moment, swept, batch = at or now(), Swept(), list[ObjectInfo]()
    for bucket in Bucket:
        async for info in storage().list(bucket):
            batch.append(info)
            if len(batch) == BATCH:
                await _sweep_batch(batch, moment, grace, swept)
                batch.clear()
    await _sweep_batch(batch, moment, grace, swept)
    async with unit_of_work() as unit:
        forgotten = UnreferencedObject.since < moment - grace - FORGOTTEN
        await unit.connection.execute(delete(UnreferencedObject).where(forgotten))
    return swept


async def _sweep_batch(batch: Sequence[ObjectInfo], moment: datetime, grace: timedelta, swept: Swept) -> None:
    async with database().reading() as session:
        candidates = await unreferenced(session, [info.key for info in batch])
    due = await note_unreferenced([info.key for info in batch], candidates, moment, grace)
    removed = set(await remove_unreferenced(due, moment - grace))
    swept.seen += len(batch)
    swept.waiting += len(candidates) - len(due)
    swept.removed += len(removed)
    swept.removed_bytes += sum(info.size for info in batch if info.key in removed)
    await current_run().progress(0, 0, f"{swept.seen:,} objects seen", asdict(swept))


async def note_unreferenced(
    seen: Sequence[ObjectKey], candidates: Sequence[ObjectKey], moment: datetime, grace: timedelta
) -> list[ObjectKey]:
    """Note since when the candidates are not needed, and forget it of the others. Gives those whose grace is over."""
    model = UnreferencedObject
    async with database().reading() as session:
        found = await session.execute(
            select(model.bucket, model.key, model.since).where(_among(model.bucket, model.key, seen))
        )
        noted = {ObjectKey(bucket, path): since for bucket, path, since in found}
    fresh, again = [key for key in candidates if key not in noted], set(noted) - set(candidates)
    if fresh or again:
        async with unit_of_work() as unit:
            await unit.connection.execute(delete(model).where(_among(model.bucket, model.key, [*fresh, *again])))
            unit.session.add_all(model(bucket=str(key.bucket), key=key.path, since=moment) for key in fresh)
    return [key for key in candidates if key in noted and noted[key] <= moment - grace]


async def remove_unreferenced(candidates: Sequence[ObjectKey], untouched_since: datetime) -> list[ObjectKey]:
    """Remove those of the candidates that are still not needed. Gives what was removed.

    The rows go first: once an object's row is gone nobody can refer to it any more, and one that is being referred to in
    this moment is waited for and stays. When this is killed in between, a later sweep finds the object without a row.
    """
    if not candidates:
        return []
    async with unit_of_work() as unit:
        doomed = await _forget(unit, candidates)
    still = [key for key in doomed if await _is_old(key, untouched_since)]
    await asyncio.shield(storage().delete(*still))
    return still


async def _forget(unit: Unit, candidates: Sequence[ObjectKey]) -> list[ObjectKey]:
    # The lock waits for transactions that are about to refer to a row; what is asked afterwards sees what they did.
    wanted = _among(Asset.bucket, Asset.key, candidates)
    await unit.session.execute(select(Asset.id).where(wanted).with_for_update())
    doomed = await unreferenced(unit.session, candidates)
    gone = _among(Asset.bucket, Asset.key, doomed)
    await unit.connection.execute(delete(Asset).where(gone, ~asset_is_referenced()))
    noted = _among(UnreferencedObject.bucket, UnreferencedObject.key, candidates)
    await unit.connection.execute(delete(UnreferencedObject).where(noted))
    return doomed


def _among(
    bucket: InstrumentedAttribute[str], path: InstrumentedAttribute[str], keys: Iterable[ObjectKey]
) -> ColumnElement[bool]:
    return tuple_(bucket, path).in_([(str(key.bucket), key.path) for key in keys])


async def _is_old(key: ObjectKey, untouched_since: datetime) -> bool:
    try:
        return (await storage().head(key)).modified_at < untouched_since
    except NotFound:
        return False


@task(queue="upkeep", cron="47 4 * * *", timeout=6 * 3600)
async def sweep_objects() -> dict[str, int]:
    """Remove objects that nobody refers to. A repeat finds none; one that was stopped leaves the rest to the next."""
    return asdict(await sweep(timedelta(hours=get_settings().media.sweep_grace_h)))


schedule_sweep = scheduler(sweep_objects)
