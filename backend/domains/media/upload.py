"""An upload: a stream of bytes becomes an original in private storage, a track, and the first run."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from backend.adapters.sniff import ACCEPTED, HEAD, AudioType, sniff
from backend.db.ids import new_id
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Unit, current_unit, database, unit_of_work
from backend.domains.media.access import Person, check_owner, own_track
from backend.domains.media.home import home_for
from backend.domains.media.ingest import schedule_ingest
from backend.domains.media.names import shown_name, title_of
from backend.domains.media.shown import show_when_ready
from backend.errors import InvalidInput, TooLarge, UnsupportedMedia
from backend.settings import get_settings
from backend.storage import ObjectKey, original_key, storage

logger = logging.getLogger(__name__)

MEGABYTE = 1_000_000

Begin = Callable[[Unit, str], Awaitable[Track]]  # in the unit, with the version's id: makes or finds its track


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

    `filename` is kept to be shown; `artist_did` is the account the track belongs to. Raises InvalidInput when there are
    no bytes, UnsupportedMedia when they are no sound, TooLarge when they are more than UPLOAD_LIMIT_MB; then, and when
    the sender breaks off, nothing is left behind.
    """

    async def begin(unit: Unit, version_id: str) -> Track:
        track = Track(
            id=new_id(),
            title=shown_name(title) or title_of(filename),
            artist=shown_name(artist),
            artist_did=artist_did,
            current_version_id=version_id,
        )
        unit.session.add(track)
        await unit.session.flush()
        return track

    return await _take_in(body, filename, begin)


async def replace_audio(
    track_id: str, person: Person, body: AsyncIterator[bytes], filename: str | None = None
) -> Upload:
    """Take a new version of a track in, in the same way. It is shown once it is ready; until then the old one plays.

    Raises NotFound, SignInRequired and Forbidden before the first byte is read, and what `store_upload` raises.
    """
    await check_owner(track_id, person)

    async def begin(unit: Unit, version_id: str) -> Track:
        # Meanwhile the track may have been removed, or given to somebody else.
        track = await own_track(unit, track_id, person)
        await show_when_ready(unit, track.id, version_id)
        return track

    return await _take_in(body, filename, begin)


async def _take_in(body: AsyncIterator[bytes], filename: str | None, begin: Begin) -> Upload:
    if current_unit() is not None:
        raise RuntimeError("an upload takes longer than a transaction may: call it outside of the unit of work")
    incoming = Incoming(body, get_settings().media.upload_limit_mb * MEGABYTE)
    kind = await incoming.kind()
    version_id = new_id()
    key = original_key(version_id, kind.suffix)
    await storage().put(key, incoming.bytes())
    recorded = False
    try:
        made = await _record(begin, version_id, key, kind, incoming, filename)
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
    begin: Begin,
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
        unit.session.add(asset)
        track = await begin(unit, version_id)
        home = home_for(track.gated)
        unit.session.add(TrackVersion(id=version_id, track_id=track.id, original_asset_id=asset.id, home=home))
        await unit.session.flush()
        receipt = await schedule_ingest(version_id)
    return Upload(track.id, version_id, receipt.id)


async def _discard(version_id: str, key: ObjectKey) -> None:
    # A connection that breaks during the commit leaves open whether it took place: then the row says it.
    async with database().reading() as session:
        if await session.get(TrackVersion, version_id) is None:
            await storage().delete(key)
            logger.info("upload %s was not recorded, its bytes are removed", version_id)
