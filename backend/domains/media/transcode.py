"""Transcode: an original becomes an HLS stream that plays."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import FfmpegFailed
from backend.domains.media.boxes import is_whole
from backend.domains.media.formats import PLAYLIST, StreamFormat, checked_formats, encoding
from backend.domains.media.playlist import Playlist, read_playlist
from backend.domains.media.streams import MakingStream
from backend.domains.media.versions import QUEUE, RETRY, Making, find_original
from backend.domains.media.workspace import workspace
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings
from backend.storage import Bucket, hls_key, hls_prefix, storage

Report = Callable[[float, float, str], Awaitable[None]]  # seconds made, seconds in all, what is being made

LENGTH_TOLERANCE_S = 0.5
PARALLEL_UPLOADS = 4


async def make_streams(version_id: str, formats: list[StreamFormat], report: Report) -> dict[str, int]:
    """Make a version's streams and publish them, one after the other. Gives the number of segments of each.

    The version is `ready` as soon as one of them plays. Raises InvalidInput for an unknown format before anything is
    made, NotFound, Conflict before ingest, FfmpegFailed.
    """
    wanted = checked_formats(formats)
    original = await find_original(version_id)
    duration_s, _, channels = original.measured()
    made: dict[str, int] = {}
    async with original.open() as file:
        for index, format in enumerate(wanted):
            meter = Meter(report, index, len(wanted), duration_s, f"making {format}")
            async with MakingStream(version_id, format) as stream, workspace() as directory:
                arguments = [*ffmpeg.source(file), *encoding(format, get_settings().media, channels)]
                await ffmpeg.run(arguments, cwd=directory, on_seconds=meter)
                playlist = await asyncio.to_thread(whole_playlist, directory, duration_s)
                await _upload(version_id, format, directory, playlist)
                await stream.publish((directory / PLAYLIST).stat().st_size)
            made[format] = len(playlist.segments)
    return made


class Meter:
    """Turns ffmpeg's seconds of one stream into the progress of all: never back, never over the end."""

    def __init__(self, report: Report, index: int, count: int, duration_s: float, message: str) -> None:
        self._report = report
        self._before = index * duration_s
        self._total = count * duration_s
        self._duration_s = duration_s
        self._message = message
        self._done = 0.0

    async def __call__(self, seconds: float) -> None:
        self._done = max(self._done, min(seconds, self._duration_s))
        await self._report(self._before + self._done, self._total, self._message)


def whole_playlist(directory: Path, duration_s: float) -> Playlist:
    """The playlist that ffmpeg wrote. Raises FfmpegFailed when it does not hold the whole sound."""
    file = directory / PLAYLIST
    playlist = read_playlist(file.read_text() if file.exists() else "")
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
    return playlist


async def _upload(version_id: str, format: StreamFormat, directory: Path, playlist: Playlist) -> None:
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


@task(queue=QUEUE, priority=10, limit=2, rate="10/60s", retry=RETRY, timeout=3600, key="transcode:{version_id}")
async def transcode_version(version_id: str, formats: list[StreamFormat]) -> dict[str, object]:
    """Make the streams of a version. A repeat writes the same objects under the same names, the playlist last."""
    run = current_run()
    checked_formats(formats)
    async with Making(version_id):
        made = await make_streams(version_id, formats, run.progress)
    await run.progress(1, 1, "ready")
    return {"segments": made}


schedule_transcode = scheduler(transcode_version)
