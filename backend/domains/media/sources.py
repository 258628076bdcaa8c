"""Where the sound of an artist's tracks lies: the original of each, or the best of what was made of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, select

from backend.db.models.media import Asset, Track, TrackVersion, Transcode, VersionStatus
from backend.db.session import database
from backend.domains.media.archive_names import Names
from backend.domains.media.formats import PLAYLIST
from backend.domains.media.playlist import read_playlist
from backend.domains.media.shown import SHOWN
from backend.errors import NotFound
from backend.storage import Bucket, ObjectKey, hls_key, storage

PARALLEL_LOOKS = 8
# Best first. Init and media segments of fragmented MP4, one after another, are a file that plays (ISO/IEC 14496-12).
STREAMS = ("hls_alac", "hls_aac", "hls_opus")
SOUND_ONLY = b"ftypM4A "


@dataclass(frozen=True)
class Source:
    """The bytes of one track: its objects in order, and the name they get. `size` is in bytes."""

    track_id: str
    version_id: str
    title: str
    name: str
    keys: tuple[ObjectKey, ...]
    size: int
    sha256: str | None = None
    note: str | None = None

    def described(self) -> dict[str, object]:
        """For a manifest."""
        said = {"track_id": self.track_id, "version_id": self.version_id, "title": self.title, "file": self.name}
        return {**said, "size_bytes": self.size, "sha256": self.sha256, "note": self.note}


@dataclass(frozen=True)
class Skipped:
    """A track that is not there, and why."""

    track_id: str
    title: str
    reason: str


@dataclass(frozen=True)
class _Wanted:
    track: Track
    version: TrackVersion
    asset: Asset
    streams: list[str] = field(default_factory=list)


async def find_sources(artist_did: str) -> tuple[list[Source], list[Skipped]]:
    """The sources of an artist's tracks in the order of their upload, and the tracks that have none."""
    wanted = await _read(Track.artist_did == artist_did)
    gate = asyncio.Semaphore(PARALLEL_LOOKS)

    async def look(each: _Wanted) -> tuple[tuple[ObjectKey, ...], int, str] | None:
        async with gate:
            return await _original(each) or await _stream(each)

    found = await asyncio.gather(*(look(each) for each in wanted))
    names, sources, skipped = Names(), [], []
    for each, place in zip(wanted, found, strict=True):
        track, version = each.track, each.version
        if place is None:
            reason = "neither the original nor a stream is in storage"
            skipped.append(Skipped(track.id, track.title, reason))
            continue
        keys, size, note = place
        name = names.name(track.title, ".m4a" if note else keys[0].suffix)
        sha256 = None if note else each.asset.sha256
        sources.append(Source(track.id, version.id, track.title, name, keys, size, sha256, note or None))
    return sources, skipped


@dataclass(frozen=True)
class Sound:
    """The shown version of a track as one file: its objects in order. `what` is `original` or a format."""

    what: str
    mime: str
    size: int
    keys: tuple[ObjectKey, ...]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the file, from the start."""
        start = 0
        if self.what in STREAMS:
            # ffmpeg's brand says MP4. Servers that look at the bytes would take that for a film.
            size = b"".join([chunk async for chunk in await storage().open(self.keys[0], 0, 4)])
            yield size + SOUND_ONLY
            start = len(size + SOUND_ONLY)
        for key in self.keys:
            async for chunk in await storage().open(key, start):
                yield chunk
            start = 0


async def find_sounds(track_id: str) -> tuple[str, list[Sound]]:
    """The version that a track shows, and what there is of it: the original first, then its streams, best first.

    Raises NotFound.
    """
    found = await _read(Track.id == track_id)
    if not found:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    wanted, sounds = found[0], []
    if place := await _original(wanted):
        sounds.append(Sound("original", wanted.asset.mime, place[1], place[0]))
    for format in STREAMS:
        if format in wanted.streams and (stream := await _look(wanted, format)):
            sounds.append(Sound(format, "audio/mp4", stream[1], stream[0]))
    return wanted.version.id, sounds


async def _read(of: ColumnElement[bool]) -> Sequence[_Wanted]:
    statement = (
        select(Track, TrackVersion, Asset)
        .join(TrackVersion, SHOWN)
        .join(Asset, Asset.id == TrackVersion.original_asset_id)
        .where(of)
        .order_by(Track.id)
    )
    ready = (
        select(Transcode.track_version_id, Transcode.format)
        .join(TrackVersion, TrackVersion.id == Transcode.track_version_id)
        .join(Track, SHOWN)
        .where(of, Transcode.status == VersionStatus.READY)
    )
    async with database().reading() as session:
        by_version = {row[1].id: _Wanted(*row) for row in await session.execute(statement)}
        for version_id, format in await session.execute(ready):
            if version_id in by_version:
                by_version[version_id].streams.append(format)
    return list(by_version.values())


async def _original(wanted: _Wanted) -> tuple[tuple[ObjectKey, ...], int, str] | None:
    key = ObjectKey(Bucket(wanted.asset.bucket), wanted.asset.key)
    try:
        return (key,), (await storage().head(key)).size, ""
    except NotFound:
        return None


async def _stream(wanted: _Wanted) -> tuple[tuple[ObjectKey, ...], int, str] | None:
    for format in (each for each in STREAMS if each in wanted.streams):
        if found := await _look(wanted, format):
            return *found, f"the original is not in storage: this is the stream {format}"
    return None


async def _look(wanted: _Wanted, format: str) -> tuple[tuple[ObjectKey, ...], int] | None:
    version_id, home = wanted.version.id, Bucket(wanted.version.home)
    try:
        text = (await storage().read(hls_key(version_id, format, PLAYLIST).within(home))).decode()
        keys = tuple(hls_key(version_id, format, name).within(home) for name in read_playlist(text).files)
        sizes = [(await storage().head(key)).size for key in keys]
    except NotFound:
        return None
    return (keys, sum(sizes)) if keys else None
