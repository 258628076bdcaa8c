"""Exports as their owners see them: asked for, listed, fetched, removed."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, func, select

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.media import Export, Track
from backend.db.models.runs import ACTIVE, Run
from backend.db.session import database, unit_of_work
from backend.domains.media.export import remove, schedule_export
from backend.errors import Conflict, NotFound
from backend.runtime.runs import cancel_run
from backend.settings import get_settings
from backend.storage import export_key, storage

LINK = timedelta(minutes=15)


class ExportState(StrEnum):
    """Where an export stands."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"  # its run says why
    GONE = "gone"  # its time is over, or its owner removed it


@dataclass(frozen=True)
class ExportView:
    """An export. `tracks`, `skipped` and `size_bytes` are null until it is ready."""

    id: str
    artist_did: str
    state: ExportState
    run_id: str | None
    tracks: int | None
    skipped: int | None
    size_bytes: int | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime


async def request_export(artist_did: str) -> ExportView:
    """Start an export of an artist's tracks, or give back the one that is under way. Raises NotFound without tracks."""
    async with unit_of_work() as unit:
        counted = select(func.count()).select_from(Track).where(Track.artist_did == artist_did)
        if not await unit.session.scalar(counted):
            raise NotFound("there are no tracks of this artist to export", field="artist_did")
        export_id = new_id()
        receipt = await schedule_export(export_id, artist_did)
        if receipt.created:
            days = timedelta(days=get_settings().media.export_days)
            unit.session.add(Export(id=export_id, artist_did=artist_did, run_id=receipt.id, expires_at=now() + days))
            await unit.session.flush()
            return await find_export(export_id)
        found = await unit.session.scalar(select(Export.id).where(Export.run_id == receipt.id))
    if found is None:
        raise Conflict(f"run {receipt.id} exports these tracks already: wait for its end")
    return await find_export(found)


async def find_export(export_id: str) -> ExportView:
    """One export. Raises NotFound."""
    async with database().reading() as session:
        row = (await session.execute(_exports().where(Export.id == export_id))).first()
    if row is None:
        raise NotFound(f"there is no export {export_id}", field="export_id")
    return _view(row[0], row[1])


async def list_exports(artist_did: str, limit: int = 25, before: str | None = None) -> list[ExportView]:
    """An artist's exports, newest first. `before` is the id of the last one of the page before."""
    statement = _exports().where(Export.artist_did == artist_did).order_by(Export.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Export.id < before)
    async with database().reading() as session:
        return [_view(export, state) for export, state in await session.execute(statement)]


async def link_of(export: ExportView) -> str:
    """A link to the archive that ends after a quarter of an hour. Raises Conflict while there is none."""
    if export.state is not ExportState.READY:
        raise Conflict(f"the export is {export.state}: there is nothing to fetch")
    return await storage().url(export_key(export.id), LINK)


async def remove_export(export: ExportView) -> None:
    """Stop its run if it is under way, and remove the archive if there is one. A repeat is harmless."""
    if export.state is ExportState.PREPARING and export.run_id is not None:
        with suppress(Conflict):  # it ended meanwhile
            await cancel_run(export.run_id)
    await remove(export_key(export.id), export.id)


def _exports() -> Select[tuple[Export, str | None]]:
    return select(Export, Run.state).outerjoin(Run, Run.id == Export.run_id)


def _view(export: Export, run_state: str | None) -> ExportView:
    if export.removed_at is not None or export.expires_at <= now():
        state = ExportState.GONE
    elif run_state in list(ACTIVE):
        state = ExportState.PREPARING
    else:
        state = ExportState.READY if export.finished_at is not None else ExportState.FAILED
    return ExportView(
        export.id, export.artist_did, state, export.run_id, export.tracks, export.skipped, export.size_bytes,
        export.created_at, export.finished_at, export.expires_at,
    )  # fmt: skip
