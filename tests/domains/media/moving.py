"""Tracks that are moved: made, looked at, and caught in the middle."""

import asyncio
from pathlib import Path

from sqlalchemy import select

from backend.db.models.media import TrackVersion, VersionStatus
from backend.db.session import Database
from backend.domains.media.access import Person
from backend.domains.media.changes import change_track
from backend.domains.media.formats import StreamFormat
from backend.domains.media.ingest import inspect_original
from backend.domains.media.transcode import transcode_version
from backend.domains.media.upload import Upload, store_upload
from backend.domains.media.versions import move
from backend.domains.media.waveform import draw_waveform
from backend.storage import Bucket, Storage, hls_key
from tests import audio
from tests.domains.media.conftest import sent

ALICE, BOB = Person("did:plc:alice"), Person("did:plc:bob")
MANY = 400


async def finished(made: Upload) -> None:
    """Made playable, with its waveform."""
    await inspect_original(made.version_id)
    await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    await draw_waveform(made.version_id)


async def track(tmp_path: Path, seconds: float = 0.3) -> Upload:
    """A track of Alice."""
    return await store_upload(sent(audio.tone(tmp_path / "a.wav", seconds)), "a.wav", artist_did=ALICE.did)


async def many_files(store: Storage, tmp_path: Path) -> Upload:
    """A track that plays, of which there are so many files that moving them takes a while."""
    made = await track(tmp_path)
    await move(made.version_id, VersionStatus.READY)
    for number in range(MANY):
        await store.put(hls_key(made.version_id, "hls_opus", f"segment_{number:03}.m4s"), f"{number}".encode())
    return made


async def there(store: Storage, bucket: Bucket, made: Upload) -> set[str]:
    """The paths of its files in a bucket."""
    return {info.key.path async for info in store.list(bucket, made.version_id)}


async def home_of(database: Database, made: Upload) -> str:
    """Where its row says it is."""
    async with database.reading() as session:
        found = await session.scalar(select(TrackVersion.home).where(TrackVersion.id == made.version_id))
    assert found
    return found


async def gate(made: Upload, gated: bool) -> None:
    """Close or open the gate."""
    await change_track(made.track_id, ALICE, gated=gated)


async def until_some_are_in(store: Storage, bucket: Bucket, made: Upload, count: int = 5) -> None:
    """Once so many of its files are in a bucket."""
    async with asyncio.timeout(20):
        while len(await there(store, bucket, made)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
