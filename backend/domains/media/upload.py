"""An upload: a stream of bytes becomes an original in private storage, a track, and the first run."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from backend.adapters.sniff import ACCEPTED, HEAD, AudioType, sniff
from backend.db.ids import new_id
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import current_unit, database, unit_of_work
from backend.domains.media.ingest import schedule_ingest
from backend.domains.media.names import shown_name, title_of
from backend.errors import InvalidInput, TooLarge, UnsupportedMedia
from backend.settings import get_settings
from backend.storage import ObjectKey, original_key, storage

logger = logging.getLogger(__name__)

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Upload:
    """What an upload made. `run_id` is the run that looks at the file first."""

    track_id: str
    version_id: str
    run_id: str


async def store_upload(
    body: AsyncIterator[bytes],
    filename: str | None = None,
    title: str | None = None,
    artist: str | None = None,
    artist_did: str | None = None,
) -> Upload:
    """Take an upload in: the bytes into private storage, then the rows and the first run in one unit of work.

    `filename` is kept to be shown; `artist_did` is the account the track belongs to. Raises InvalidInput when there are no bytes, UnsupportedMedia when they are no sound,
    TooLarge when they are more than UPLOAD_LIMIT_MB; then, and when the sender breaks off, nothing is left behind.
    """
    if current_unit() is not None:
        raise RuntimeError("an upload takes longer than a transaction may: call it outside of the unit of work")
    incoming = Incoming(body, get_settings().media.upload_limit_mb * MEGABYTE)
    kind = await incoming.kind()
    version_id = new_id()
    key = original_key(version_id, kind.suffix)
    await storage().put(key, incoming.bytes())
    recorded = False
    try:
        about = Track(
            id=new_id(),
            title=shown_name(title) or title_of(filename),
            artist=shown_name(artist),
            artist_did=artist_did,
            current_version_id=version_id,
        )
        made = await _record(about, version_id, key, kind, incoming, filename)
        recorded = True
    finally:
        if not recorded:
            await asyncio.shield(_discard(version_id, key))
    return made


class Incoming:
    """A stream that is looked at, counted and hashed while it passes."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._body = body
        self._limit = limit
        self._head = b""

    async def kind(self) -> AudioType:
        """What the first bytes say this is. To be asked before `bytes`."""
        async for chunk in self._body:
            self._head += chunk
            if len(self._head) >= HEAD:
                break
        if not self._head:
            raise InvalidInput("the file is empty", field="file")
        kind = sniff(self._head)
        if kind is None:
            raise UnsupportedMedia(f"this is not sound that can be used: send {ACCEPTED}", field="file")
        return kind

    async def bytes(self) -> AsyncIterator[bytes]:
        """All of them, from the first."""
        yield self._counted(self._head)
        async for chunk in self._body:
            yield self._counted(chunk)

    def _counted(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        if self.size > self._limit:
            raise TooLarge(f"the file is larger than {self._limit // MEGABYTE:,} MB", field="file")
        self.sha256.update(chunk)
        return chunk


async def _record(
    track: Track,
    version_id: str,
    key: ObjectKey,
    kind: AudioType,
    incoming: Incoming,
    filename: str | None,
) -> Upload:
    asset = Asset(
        id=new_id(),
        bucket=str(key.bucket),
        key=key.path,
        mime=kind.mime,
        size_bytes=incoming.size,
        sha256=incoming.sha256.hexdigest(),
        filename=shown_name(filename),
    )
    async with unit_of_work() as unit:
        unit.session.add_all([track, asset])
        await unit.session.flush()
        unit.session.add(TrackVersion(id=version_id, track_id=track.id, original_asset_id=asset.id))
        await unit.session.flush()
        receipt = await schedule_ingest(version_id)
    return Upload(track.id, version_id, receipt.id)


async def _discard(version_id: str, key: ObjectKey) -> None:
    # A connection that breaks during the commit leaves open whether it took place: then the row says it.
    async with database().reading() as session:
        if await session.get(TrackVersion, version_id) is None:
            await storage().delete(key)
            logger.info("upload %s was not recorded, its bytes are removed", version_id)
