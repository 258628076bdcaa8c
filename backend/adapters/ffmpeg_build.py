"""Which ffmpeg this is, and whether it can do what the media crew asks of it."""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass

from backend.adapters.ffmpeg import find
from backend.errors import Misconfigured

OLDEST = (5, 1)
NEEDED = (
    ("-encoders", ("libopus", "aac", "alac")),
    ("-filters", ("ebur128",)),
    ("-muxers", ("hls", "chromaprint", "s16le")),
)


@dataclass(frozen=True)
class FfmpegBuild:
    """A program and its version. `problems` says what it lacks, one sentence each."""

    program: str
    version: str
    problems: tuple[str, ...]


async def inspect_ffmpeg() -> FfmpegBuild:
    """Ask the ffmpeg that would be used. Raises Misconfigured when there is none that runs."""
    program = await find()
    said = await _ask(program, "-version")
    version = said.removeprefix("ffmpeg version ").partition(" ")[0]
    if not said.startswith("ffmpeg version "):
        raise Misconfigured(f"{program} is no ffmpeg: set FFMPEG_PATH", field="FFMPEG_PATH")
    problems = []
    number = re.match(r"n?(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        problems.append(f"it is version {version}; the oldest that is tested is {'.'.join(map(str, OLDEST))}")
    for flag, names in NEEDED:
        words = set((await _ask(program, flag)).replace(",", " ").split())
        problems += [
            f"it was built without the {flag.strip('-').rstrip('s')} {name}" for name in names if name not in words
        ]
    return FfmpegBuild(program, version, tuple(problems))


async def _ask(program: str, flag: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            program, "-hide_banner", flag, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError as error:
        raise Misconfigured(f"{program} cannot be run: {error.strerror}", field="FFMPEG_PATH") from error
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 10)
    except TimeoutError as error:
        raise Misconfigured(f"{program} does not answer: set FFMPEG_PATH", field="FFMPEG_PATH") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode("utf-8", "replace")
