"""Export: everything an artist uploaded, as one archive in private storage."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import select, update

from backend.db.base import now
from backend.db.models.media import Export
from backend.db.session import database, unit_of_work
from backend.domains.media.archive import Member, pack
from backend.domains.media.sources import Skipped, Source, find_sources
from backend.domains.media.versions import QUEUE, RETRY
from backend.errors import NotFound
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings
from backend.storage import ObjectKey, export_key, storage

MANIFEST = "manifest.json"
REMOVED_AT_ONCE = 100

Report = Callable[[int, int, str], Awaitable[None]]  # bytes packed, bytes in all, how many tracks


@dataclass(frozen=True)
class Archive:
    """What was made. `size_bytes` is that of the archive."""

    tracks: int
    skipped: int
    size_bytes: int


async def make_archive(export_id: str, artist_did: str, report: Report) -> Archive:
    """Pack the originals of an artist's tracks into storage, and note what came of it.

    What is missing is named in the manifest, with the reason. Raises NotFound when the export was deleted, Unavailable
    when storage breaks off; then, and when the caller is cancelled, no archive is there.
    """
    if await _find(export_id) is None:
        raise NotFound(f"there is no export {export_id}", field="export_id")
    sources, skipped = await find_sources(artist_did)
    meter = _Meter(report, sum(source.size for source in sources), len(sources))
    members = [Member(source.name, source.size, _opener(source, meter)) for source in sources]
    key = export_key(export_id)
    packed = pack(members, lambda: (MANIFEST, manifest(artist_did, sources, skipped)))
    await storage().put(key, packed)
    made = Archive(len(sources), len(skipped), (await storage().head(key)).size)
    lifetime = timedelta(days=get_settings().media.export_days)
    await _note(export_id, finished_at=now(), expires_at=now() + lifetime, **asdict(made))
    return made


def manifest(artist_did: str, sources: Sequence[Source], skipped: Sequence[Skipped]) -> bytes:
    """What is in an archive and what is not, as JSON. SHA-256 is given where the upload's is known."""
    content = {
        "artist": artist_did,
        "made_at": now().isoformat(),
        "tracks": [source.described() for source in sources],
        "skipped": [asdict(each) for each in skipped],
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


class _Meter:
    """Adds up what is packed, over all tracks."""

    def __init__(self, report: Report, total: int, tracks: int) -> None:
        self._report = report
        self._total = total
        self._tracks = tracks
        self._done = 0
        self._begun = 0

    def begin(self) -> None:
        """The next track's turn has come."""
        self._begun += 1

    async def add(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        await self._report(self._done, self._total, f"track {self._begun} of {self._tracks}")


def _opener(source: Source, meter: _Meter) -> Callable[[], AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        meter.begin()
        for key in source.keys:
            async for chunk in await storage().open(key):
                await meter.add(len(chunk))
                yield chunk

    return chunks


async def _find(export_id: str) -> Export | None:
    async with database().reading() as session:
        return await session.get(Export, export_id)


async def _note(export_id: str, **values: object) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Export).where(Export.id == export_id).values(**values))


@task(queue=QUEUE, priority=-10, limit=2, retry=RETRY, timeout=12 * 3600, key="export:{artist_did}")
async def process_export(export_id: str, artist_did: str) -> dict[str, int]:
    """Make an artist's archive. A repeat packs anew and takes the place of what was there."""
    return asdict(await make_archive(export_id, artist_did, current_run().progress))


schedule_export = scheduler(process_export)


@task(queue="upkeep", cron="23 * * * *")
async def remove_old_exports() -> dict[str, int]:
    """Remove archives whose time is over. A repeat finds none; one that was stopped goes on where it was."""
    wanted = select(Export.id).where(Export.removed_at.is_(None), Export.expires_at <= now()).limit(REMOVED_AT_ONCE)
    removed = 0
    while True:
        async with database().reading() as session:
            found = list(await session.scalars(wanted))
        for export_id in found:
            await remove(export_key(export_id), export_id)
        removed += len(found)
        if len(found) < REMOVED_AT_ONCE:
            return {"removed": removed}


schedule_remove_old_exports = scheduler(remove_old_exports)


async def remove(key: ObjectKey, export_id: str) -> None:
    """Remove an archive, then note that it is gone."""
    await asyncio.shield(storage().delete(key))
    await _note(export_id, removed_at=now())
