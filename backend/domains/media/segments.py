"""The files of one stream: put where players find them while it is still made, and checked to be whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from backend.adapters.ffmpeg import FfmpegFailed
from backend.domains.media.boxes import is_whole
from backend.domains.media.formats import PLAYLIST, SEGMENT, StreamFormat
from backend.domains.media.lanes import together
from backend.domains.media.playlist import Playlist, read_playlist, with_kept_promise
from backend.errors import Unavailable
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


class Uploads:
    """The uploads of one stream: of what is finished now, and at the end of all the rest. Make it with `uploads`."""

    def __init__(
        self, version_id: str, format: StreamFormat, directory: Path, home: Bucket, group: asyncio.TaskGroup
    ) -> None:
        self.begun: set[str] = set()
        self._place = (version_id, format)
        self._directory = directory
        self._home = home
        self._group = group
        self._gate = asyncio.Semaphore(PARALLEL_UPLOADS)

    def send_finished(self) -> None:
        """Send the segments that ffmpeg has finished since the last call."""
        while (self._directory / (name := SEGMENT % len(self.begun))).exists():
            self.send(name)

    def send(self, *names: str) -> None:
        """Send these files, unless they are on their way already."""
        for name in names:
            if name not in self.begun:
                self.begun.add(name)
                self._group.create_task(self._put(name))

    async def _put(self, name: str) -> None:
        async with self._gate:
            await storage().put(hls_key(*self._place, name).within(self._home), self._directory / name)


@asynccontextmanager
async def uploads(
    version_id: str, format: StreamFormat, directory: Path, *, home: Bucket, plays: bool
) -> AsyncIterator[Uploads]:
    """Upload a stream's files to its home beside the work of the block, then its playlist: it never names what is not there.

    An upload that fails ends the block, and what stops the block stops the uploads. Then nothing of the stream is left
    in storage, unless an older one `plays`.
    """
    published = False
    try:
        async with together() as group:
            under_way = Uploads(version_id, format, directory, home, group)
            yield under_way
        await storage().put(hls_key(version_id, format, PLAYLIST).within(home), directory / PLAYLIST)
        published = True
    finally:
        if not published and not plays:
            with suppress(Unavailable):
                await asyncio.shield(_remove_others(version_id, format, home, set()))
    await _remove_others(version_id, format, home, {*under_way.begun, PLAYLIST})


async def _remove_others(version_id: str, format: StreamFormat, home: Bucket, names: set[str]) -> None:
    """Leave only these: a stream that was longer before, or cut otherwise, has segments that no playlist names."""
    prefix = hls_prefix(version_id, format)
    there = [info.key async for info in storage().list(home, prefix)]
    await storage().delete(*(key for key in there if key.path.removeprefix(prefix) not in names))
