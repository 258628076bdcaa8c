"""The files of one stream: checked to be whole, and put where players find them."""

import asyncio
from pathlib import Path

from backend.adapters.ffmpeg import FfmpegFailed
from backend.domains.media.boxes import is_whole
from backend.domains.media.formats import PLAYLIST, StreamFormat
from backend.domains.media.playlist import Playlist, read_playlist, with_kept_promise
from backend.storage import Bucket, hls_key, hls_prefix, storage

LENGTH_TOLERANCE_S = 0.5
PARALLEL_UPLOADS = 4


def whole_playlist(directory: Path, duration_s: float) -> Playlist:
    """The playlist that ffmpeg wrote, its target duration made true. Raises FfmpegFailed when it lacks some sound."""
    file = directory / PLAYLIST
    text = with_kept_promise(file.read_text()) if file.exists() else ""
    playlist = read_playlist(text)
    # On a full disk ffmpeg's HLS muxer cuts segments short, says nothing, and ends as if all were well.
    broken = [name for name in playlist.files if not is_whole(directory / name)]
    if not playlist.ended or playlist.init is None or not playlist.segments or broken:
        lacking = ", ".join(broken) or "its end"
        raise FfmpegFailed(
            f"ffmpeg left an unfinished stream behind, without {lacking}: see that there is free space in the directory "
            "that TMPDIR names"
        )
    if abs(playlist.duration_s - duration_s) > LENGTH_TOLERANCE_S:
        raise FfmpegFailed(f"ffmpeg made {playlist.duration_s:.2f} s of stream from {duration_s:.2f} s of sound")
    file.write_text(text)
    return playlist


async def upload_stream(version_id: str, format: StreamFormat, directory: Path, playlist: Playlist) -> None:
    """Put a stream where players find it: the playlist last, so that it never names what is not there."""
    gate = asyncio.Semaphore(PARALLEL_UPLOADS)

    async def put(name: str) -> None:
        async with gate:
            await storage().put(hls_key(version_id, format, name), directory / name)

    try:
        async with asyncio.TaskGroup() as group:
            for name in playlist.files:
                group.create_task(put(name))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None  # the first one that failed stopped the others, and says what to do
    await put(PLAYLIST)
    # A stream that was longer before, or cut otherwise, leaves segments that no playlist names any more.
    kept = {hls_key(version_id, format, name) for name in (*playlist.files, PLAYLIST)}
    there = [info.key async for info in storage().list(Bucket.PUBLIC, hls_prefix(version_id, format))]
    await storage().delete(*(key for key in there if key not in kept))
