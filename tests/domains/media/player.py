"""A player of the tests: fetches a stream, and decodes it by others' libraries."""

import asyncio
from pathlib import Path

from backend.db.models.media import Transcode
from backend.db.session import Database
from backend.domains.media.playlist import Playlist, read_playlist
from backend.domains.media.upload import Upload
from backend.storage import Bucket, Storage
from tests import audio


async def stream_of(database: Database, made: Upload, format: str = "hls_opus") -> Transcode:
    """The stream's row as it is now."""
    async with database.reading() as session:
        stream = await session.get(Transcode, (made.version_id, format))
    assert stream
    return stream


async def fetched(store: Storage, made: Upload, directory: Path, format: str = "hls_opus") -> Playlist:
    """The whole stream in a directory, as a player would have it."""
    await asyncio.to_thread(directory.mkdir)
    async for info in store.list(Bucket.PUBLIC, f"{made.version_id}/{format}"):
        await store.download(info.key, directory / info.key.path.rpartition("/")[2])
    return read_playlist((directory / "playlist.m3u8").read_text())


def decoded(directory: Path, *options: str) -> bytes:
    """What a real player makes of it, as samples of 16 bits."""
    return audio.ffmpeg("-i", directory / "playlist.m3u8", "-map", "0", *options, "-f", "s16le", "-")


def decoded_seconds(directory: Path) -> float:
    """How long it plays."""
    return len(decoded(directory, "-ac", "1", "-ar", "48000")) / 2 / 48000


def joined(directory: Path, playlist: Playlist) -> Path:
    """The stream as one file: init and media segments one after another are one (ISO/IEC 14496-12)."""
    file = directory / "joined.m4a"
    file.write_bytes(b"".join((directory / name).read_bytes() for name in playlist.files))
    return file
