"""Artwork: the cover inside an upload as JPEG and as a thumbnail, or one that is drawn for the track."""

import asyncio
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select, update

from backend.adapters.cover import read_cover
from backend.adapters.ffmpeg import OnSeconds
from backend.db.models.media import Asset, Track
from backend.db.session import database, unit_of_work
from backend.domains.media.access import NOBODY, Person, must_hear
from backend.domains.media.cover import Cover, UnusableCover, as_files, make_cover
from backend.domains.media.default_cover import draw_default
from backend.domains.media.home import note_written
from backend.domains.media.rows import record_asset
from backend.domains.media.versions import QUEUE, RETRY, Original, find_original
from backend.errors import NotFound
from backend.runtime import current_run, scheduler, task
from backend.storage import Bucket, ObjectKey, artwork_key, storage

PICTURE, THUMBNAIL = "artwork.jpg", "thumbnail.jpg"
LONGEST_NOTE = 300


class ArtworkSource(StrEnum):
    """Where a track's picture comes from."""

    EMBEDDED = "embedded"  # the cover inside the upload
    GENERATED = "generated"  # drawn from the track's id


@dataclass(frozen=True)
class Artwork:
    """What was made. `note` says why the upload's own cover is not used; null when it is, or when there is none."""

    source: ArtworkSource
    note: str | None


async def make_artwork(version_id: str) -> Artwork:
    """Give a version's track a picture and a thumbnail: the cover in its file, else one that is drawn.

    A drawn one never takes the place of a cover that another version brought. Raises NotFound, InvalidInput when the
    file cannot be opened.
    """
    original = await find_original(version_id)
    async with original.open() as file:
        return await illustrate_file(original, file)


async def illustrate_file(original: Original, file: Path, on_seconds: OnSeconds | None = None) -> Artwork:
    """The same on an original that is open already. `on_seconds` is awaited with its whole length, at the end."""
    data = await read_cover(file)
    cover, note = await _encode(data) if data is not None else (None, None)
    made = Artwork(ArtworkSource.EMBEDDED if cover else ArtworkSource.GENERATED, note)
    drawn = cover or await asyncio.to_thread(lambda: as_files(draw_default(original.track_id)))
    await _publish(original, original.version_id if cover else original.track_id, drawn, made)
    if on_seconds:
        await on_seconds(original.measured()[0])
    return made


async def _encode(data: bytes) -> tuple[Cover | None, str | None]:
    try:
        return await asyncio.to_thread(make_cover, data), None
    except UnusableCover as error:
        return None, str(error)[:LONGEST_NOTE]


async def _publish(original: Original, owner_id: str, cover: Cover, made: Artwork) -> None:
    """The objects first, then the row that names them."""
    files = {PICTURE: cover.picture, THUMBNAIL: cover.thumbnail}
    contents = {artwork_key(owner_id, name).within(original.home): content for name, content in files.items()}
    for key, content in contents.items():
        await storage().put(key, content)
    async with unit_of_work() as unit:
        await note_written(unit, original.version_id, original.home)
        picture_id, thumb_id = [await record_asset(unit, key, len(content)) for key, content in contents.items()]
        statement = update(Track).where(Track.id == original.track_id)
        if made.source is ArtworkSource.GENERATED:
            statement = statement.where(Track.artwork_source.is_distinct_from(ArtworkSource.EMBEDDED))
        values = {"artwork_source": made.source, "artwork_note": made.note}
        await unit.connection.execute(
            statement.values(artwork_asset_id=picture_id, artwork_thumb_asset_id=thumb_id, **values)
        )


async def artwork_object(track_id: str, thumbnail: bool = False, person: Person = NOBODY) -> ObjectKey:
    """A track's picture or its thumbnail, both JPEG.

    Raises NotFound while there is none, and SignInRequired or Forbidden when the person may not hear the track.
    """
    column = Track.artwork_thumb_asset_id if thumbnail else Track.artwork_asset_id
    wanted = select(Asset, Track).join(Track, column == Asset.id).where(Track.id == track_id)
    async with database().reading() as session:
        found = (await session.execute(wanted)).first()
    if found is None:
        raise NotFound(f"there is no track {track_id} that has artwork", field="track_id")
    asset, track = found
    must_hear(person, track)
    return ObjectKey(Bucket(asset.bucket), asset.key)


@task(queue=QUEUE, limit=4, retry=RETRY, timeout=900, key="artwork:{version_id}")
async def extract_artwork(version_id: str) -> dict[str, str | None]:
    """Make the artwork of a version's track. A repeat writes the same objects and names them again."""
    run = current_run()
    await run.progress(0, 1, "looking for a cover")
    made = await make_artwork(version_id)
    await run.progress(1, 1, made.source)
    return asdict(made)


schedule_artwork = scheduler(extract_artwork)
