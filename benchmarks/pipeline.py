"""The media pipeline beside the original design's commands, on the same file, in one run.

`uv run python -m benchmarks.pipeline [FILE] [--minutes N] [--pairs N] [--write-docs]`
"""

import argparse
import asyncio
import hashlib
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg_build import inspect_ffmpeg
from backend.cli.demo_audio import compose
from backend.db.migrate import prepare
from backend.db.models.media import AudioFingerprint, TrackVersion
from backend.db.session import database, open_database
from backend.domains.media.cover import as_files
from backend.domains.media.default_cover import draw_default
from backend.domains.media.extras import Extra
from backend.domains.media.formats import StreamFormat
from backend.domains.media.ingest import inspect_original
from backend.domains.media.r128 import Loudness
from backend.domains.media.transcode import transcode_version
from backend.domains.media.upload import store_upload
from backend.domains.media.versions import find_original
from backend.settings import SECTIONS, get_settings
from backend.storage import Bucket, ObjectKey, OpenObject, Storage, open_storage, storage, use_storage
from benchmarks.page import when_and_where, write_section
from benchmarks.seed_pipeline import run_jobs

T = TypeVar("T")

ARTIST = "did:plc:benchmark"
AIM = 0.6
FORMATS = list(StreamFormat)


class Counting(Storage):
    """A store that counts what is read from it."""

    def __init__(self, inner: Storage) -> None:
        vars(self).update(vars(inner))
        self.downloads = self.read_bytes = 0

    async def open(self, key: ObjectKey, start: int = 0, end: int | None = None) -> OpenObject:
        """Count, then open."""
        opened = await super().open(key, start, end)
        self.downloads += key.bucket is Bucket.PRIVATE
        self.read_bytes += opened.end - opened.start
        return opened


@dataclass(frozen=True)
class Cost:
    """What one way through cost."""

    wall_s: float
    cpu_s: float
    downloads: int  # of the original
    read_bytes: int  # from storage, playlists included


@dataclass
class Compared:
    """Both ways in turns, and whether they came to the same."""

    seconds: float
    size: int
    ours: list[Cost] = field(default_factory=list)
    theirs: list[Cost] = field(default_factory=list)
    same_loudness: bool = False
    same_fingerprint: bool = False
    same_sound: dict[str, bool] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of the wall times' ratios, pair by pair."""
        return statistics.median(one.wall_s / other.wall_s for one, other in zip(self.ours, self.theirs, strict=True))


async def compare(file: Path, pairs: int) -> Compared:
    """Take a file in, then send it through both ways in turns, who is first alternating."""
    made = await store_upload(_chunks(file), file.name, artist_did=ARTIST)
    await inspect_original(made.version_id)
    original = await find_original(made.version_id)
    seconds, rate, channels = original.measured()
    result = Compared(seconds, (await storage().head(original.key)).size)
    for number in range(pairs):
        for mine in (True, False) if number % 2 == 0 else (False, True):
            if mine:
                work = transcode_version(made.version_id, FORMATS, beside=list(Extra))
                result.ours.append((await _measured(lambda work=work: work))[0])
            else:
                jobs = run_jobs(original.key, "seed", rate, channels)
                cost, seed = await _measured(lambda jobs=jobs: jobs)
                result.theirs.append(cost)
    async with database().reading() as session:
        version = await session.get_one(TrackVersion, made.version_id)
        kept = select(AudioFingerprint.numbers).where(AudioFingerprint.track_version_id == made.version_id)
        numbers = await session.scalar(kept)
    figures = (version.loudness_lufs, version.loudness_range, version.true_peak, version.loudness_note)
    result.same_loudness = Loudness(*figures) == seed.loudness
    result.same_fingerprint = numbers == seed.fingerprint.astype("<u4").tobytes()
    sound = await _pcm(file)
    for format, place in seed.streams.items():
        ours, theirs = await _played(f"{made.version_id}/{format}"), await _played(place)
        result.same_sound[format] = ours == theirs
        if format == StreamFormat.HLS_ALAC:
            result.same_sound["hls_alac and the original"] = ours == sound
    return result


async def _measured(work: Callable[[], Awaitable[T]]) -> tuple[Cost, T]:
    async with use_storage(Counting(storage())) as counting:
        cpu, start = _cpu_s(), time.perf_counter()
        value = await work()
        cost = Cost(time.perf_counter() - start, _cpu_s() - cpu, counting.downloads, counting.read_bytes)
    return cost, value


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def _played(prefix: str) -> str:
    """What a player hears of a stream, as a digest."""
    with tempfile.TemporaryDirectory() as directory:
        async for info in storage().list(Bucket.PUBLIC, prefix):
            await storage().download(info.key, Path(directory) / info.key.path.rpartition("/")[2])
        return await _pcm(Path(directory) / "playlist.m3u8")


async def _pcm(file: Path) -> str:
    words = ["-loglevel", "error", "-nostdin", "-i", file, "-map", "0:a:0", "-c:a", "pcm_s32le", "-f", "s32le", "-"]
    command = [await ffmpeg.find(), *map(str, words)]
    done = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, check=True)
    return hashlib.sha256(done.stdout).hexdigest()


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(file.read_bytes)


@asynccontextmanager
async def _house(directory: Path) -> AsyncIterator[None]:
    for name in [name for section in SECTIONS for name in section.model_fields]:
        os.environ.pop(name.upper(), None)
    os.environ |= {"DATA_DIR": str(directory), "ALAC_ARTISTS": ARTIST}
    get_settings.cache_clear()
    async with open_database(get_settings().database) as opened, open_storage(get_settings()):
        await prepare(opened)
        yield


async def _music(directory: Path, minutes: float) -> Path:
    """A FLAC file of this length, with a cover: the demo's piece, again and again."""
    piece, cover, file = directory / "piece.wav", directory / "cover.jpg", directory / "music.flac"
    piece.write_bytes(compose())
    cover.write_bytes(as_files(draw_default("benchmark")).picture)
    sound = ["-stream_loop", "-1", "-i", piece, "-i", cover, "-map", "0:a", "-map", "1:v", "-c:v", "copy"]
    words = ["-loglevel", "error", "-nostdin", *sound, "-disposition:v", "attached_pic", "-t", minutes * 60, file]
    await asyncio.to_thread(subprocess.run, [await ffmpeg.find(), *map(str, words)], check=True)
    return file


def report(result: Compared, version: str) -> str:
    """The figures as Markdown."""

    def row(name: str, costs: list[Cost]) -> str:
        wall, cpu = (statistics.median(getattr(cost, each) for cost in costs) for each in ("wall_s", "cpu_s"))
        spread = f"{min(cost.wall_s for cost in costs):.1f} to {max(cost.wall_s for cost in costs):.1f}"
        return (
            f"| {name} | {wall:.1f} | {spread} | {cpu:.1f} | {costs[0].downloads} | {costs[0].read_bytes / 1e6:.1f} |"
        )

    agree = [name for name, same in result.same_sound.items() if same]
    differ = [name for name, same in result.same_sound.items() if not same]
    lines = [
        *when_and_where(),
        f"- ffmpeg {version}; {result.seconds / 60:.1f} min of sound, {result.size / 1e6:.1f} MB; pairs: {len(result.ours)}",
        "",
        "| pipeline | wall s | range | CPU s | downloads | MB read from storage |",
        "| --- | --- | --- | --- | --- | --- |",
        row("ours", result.ours),
        row("the design's commands in turn", result.theirs),
        "",
        f"- wall time, median of the pairs' ratios: {result.ratio:.2f} (aim: at most {AIM}; "
        f"{'hit' if result.ratio <= AIM else 'missed'})",
        f"- loudness: {'identical' if result.same_loudness else 'DIFFERENT'}; "
        f"fingerprint: {'identical' if result.same_fingerprint else 'DIFFERENT'}",
        f"- decoded sound, byte by byte: the same for {', '.join(agree) or 'none'}"
        + (f"; DIFFERENT for {', '.join(differ)}" if differ else ""),
    ]
    return "\n".join(lines) + "\n"


async def run(options: argparse.Namespace) -> str:
    """The whole benchmark, in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark-pipeline-") as directory:
        async with _house(Path(directory) / "data"):
            file = options.file or await _music(Path(directory), options.minutes)
            return report(await compare(file, options.pairs), (await inspect_ffmpeg()).version)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="a lossless audio file (default: one that is composed)")
    parser.add_argument("--minutes", type=float, default=4.0, help="length of the composed one (default 4)")
    parser.add_argument("--pairs", type=int, default=3, help="how often each way is gone (default 3)")
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    text = asyncio.run(run(options))
    print(text)
    if options.write_docs:
        write_section("pipeline", text)


if __name__ == "__main__":
    main()
