"""The commands of the original design, run as it runs them: one job after another, each with a download of its own."""

import asyncio
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.adapters import chromaprint, ffmpeg
from backend.adapters.chromaprint import Fingerprint
from backend.domains.media.cover import as_files, make_cover
from backend.domains.media.default_cover import draw_default
from backend.domains.media.peaks import Peaks, mono
from backend.domains.media.picture import draw
from backend.domains.media.r128 import Loudness, read_summary
from backend.domains.media.waveform import as_json
from backend.storage import Bucket, ObjectKey, storage

# As designed, mended where they would not give a whole stream: every segment in the playlist, no cover as a video track.
HLS = ("-f", "hls", "-hls_time", "6", "-hls_list_size", "0", "-hls_segment_type", "fmp4")
NAMES = ("-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", "segment_%03d.m4s", "playlist.m3u8")
CODECS = {
    "hls_opus": ("-c:a", "libopus", "-b:a", "160k"),
    "hls_aac": ("-c:a", "aac", "-b:a", "256k"),
    "hls_alac": ("-c:a", "alac"),
}
POINTS_PER_S, COLUMNS_PER_S = 20, 100


@dataclass(frozen=True)
class SeedMade:
    """What the jobs made."""

    streams: dict[str, str]  # by format, where its objects lie
    loudness: Loudness
    fingerprint: Fingerprint


async def run_jobs(original: ObjectKey, place: str, rate: int, channels: int) -> SeedMade:
    """Transcode, waveform, cover, loudness, fingerprint. Their objects go under `place` in the public bucket."""
    streams = await _transcode(original, place)
    await _waveform(original, place, rate, channels)
    await _artwork(original, place)
    return SeedMade(streams, await _loudness(original), await _fingerprint(original))


async def _transcode(original: ObjectKey, place: str) -> dict[str, str]:
    made = {}
    with tempfile.TemporaryDirectory() as directory:
        file = await _download(original, directory)
        for format, codec in CODECS.items():
            folder = Path(directory) / format
            folder.mkdir()
            await _ffmpeg("-i", file, "-map", "0:a:0", "-vn", *codec, *HLS, *NAMES, cwd=folder)
            for each in sorted(folder.iterdir()):
                await storage().put(ObjectKey(Bucket.PUBLIC, f"{place}/{format}/{each.name}"), each)
            made[format] = f"{place}/{format}"
    return made


async def _waveform(original: ObjectKey, place: str, rate: int, channels: int) -> None:
    # The audiowaveform program is in no package here. Our arithmetic takes its place, as often as it would be started:
    # once for the data and once for the picture.
    with tempfile.TemporaryDirectory() as directory:
        file = await _download(original, directory)
        data = as_json(await _peaks(file, rate // POINTS_PER_S, rate, channels), rate)
        await storage().put(ObjectKey(Bucket.PUBLIC, f"{place}/waveform.json"), data)
        picture = draw((await _peaks(file, rate // COLUMNS_PER_S, rate, channels)).pairs())
        await storage().put(ObjectKey(Bucket.PUBLIC, f"{place}/waveform.png"), picture)


async def _peaks(file: Path, samples_per_bucket: int, rate: int, channels: int) -> Peaks:
    peaks = Peaks(samples_per_bucket)
    async with ffmpeg.decoding(file, rate, channels) as blocks:
        async for block in blocks:
            await asyncio.to_thread(lambda block=block: peaks.add(mono(block, channels)))
    return peaks


async def _artwork(original: ObjectKey, place: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file, cover = await _download(original, directory), Path(directory) / "cover.jpg"
        with suppress(SystemExit):  # it fails where there is no cover, and then a default one is taken
            await _ffmpeg("-i", file, "-an", "-c:v", "copy", "-f", "image2", "-update", "1", cover, cwd=Path(directory))
        if not cover.exists():
            cover.write_bytes(as_files(draw_default("default")).picture)
        files = await asyncio.to_thread(lambda: make_cover(cover.read_bytes()))
        await storage().put(ObjectKey(Bucket.PUBLIC, f"{place}/cover.jpg"), cover)
        await storage().put(ObjectKey(Bucket.PUBLIC, f"{place}/thumbnail.jpg"), files.thumbnail)


async def _fingerprint(original: ObjectKey) -> Fingerprint:
    # fpcalc is in no wheel. ffmpeg's muxer makes equal numbers with the same library.
    with tempfile.TemporaryDirectory() as directory:
        return await chromaprint.fingerprint(await _download(original, directory))


async def _loudness(original: ObjectKey) -> Loudness:
    with tempfile.TemporaryDirectory() as directory:
        file = await _download(original, directory)
        said = await _ffmpeg(
            *("-i", file, "-vn", "-filter:a", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"),
            cwd=Path(directory),
        )
    return read_summary(said)


async def _download(original: ObjectKey, directory: str) -> Path:
    file = Path(directory) / f"input{original.suffix}"
    await storage().download(original, file)
    return file


async def _ffmpeg(*arguments: str | Path, cwd: Path) -> str:
    return await _program([await ffmpeg.find(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)], cwd)


async def _program(command: Sequence[str], cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, cwd=cwd)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode('utf-8', 'replace')[-2000:]}")
    return said.decode("utf-8", "replace")
