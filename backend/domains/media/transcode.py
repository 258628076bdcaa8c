"""Transcode: an original becomes streams that play, each format by itself, and a master playlist that leads to them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds
from backend.domains.media.formats import (
    LONGEST_FIRST,
    PLAYLIST,
    StreamFormat,
    checked_formats,
    encoding,
    refusal,
)
from backend.domains.media.segments import upload_stream, whole_playlist
from backend.domains.media.streams import MakingStream, skip_stream
from backend.domains.media.versions import QUEUE, RETRY, Making, Original, find_original
from backend.domains.media.workspace import workspace
from backend.errors import BacklineError, InvalidInput, Steer
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings

Report = Callable[[float, float, str], Awaitable[None]]  # seconds made, seconds in all, what is being made


@dataclass(frozen=True)
class Plan:
    """What is made of an original, and what may not be made of it, with the reason."""

    original: Original
    formats: tuple[StreamFormat, ...]
    refused: dict[StreamFormat, str]


async def plan_streams(version_id: str, formats: Sequence[str]) -> Plan:
    """Look at what is asked for before anything is made.

    Raises InvalidInput for an unknown format and when none of them may be made, NotFound, Conflict before ingest.
    """
    wanted = checked_formats(formats)
    original = await find_original(version_id)
    original.measured()
    refused = {format: reason for format in wanted if (reason := _refusal(format, original))}
    allowed = tuple(format for format in LONGEST_FIRST if format in wanted and format not in refused)
    if not allowed:
        reasons = "; ".join(f"{format}: {reason}" for format, reason in refused.items())
        raise InvalidInput(f"none of these formats may be made: {reasons}", field="formats")
    return Plan(original, allowed, refused)


async def default_formats(version_id: str) -> list[StreamFormat]:
    """What a version is streamed in when nobody asks for anything else: all it may be. Raises NotFound."""
    original = await find_original(version_id)
    return [format for format in StreamFormat if not _refusal(format, original)]


def _refusal(format: StreamFormat, original: Original) -> str | None:
    settings = get_settings().media
    return refusal(format, lossless=original.lossless, artist_did=original.artist_did, settings=settings)


async def make_streams(plan: Plan, report: Report) -> dict[str, int]:
    """Make a version's streams from one download, side by side, and publish each. Gives the number of segments of each.

    The version is `ready` as soon as one of them plays. One that fails stops no other; then, when all have ended, its
    error is raised, of several the one that another attempt may mend.
    """
    original = plan.original
    for format, reason in plan.refused.items():
        await skip_stream(original.version_id, format, reason)
    meter = Meter(report, original.measured()[0], plan.formats)
    lanes, publishing = asyncio.Semaphore(get_settings().media.transcode_lanes), asyncio.Lock()

    async def make(format: StreamFormat, file: Path) -> int:
        async with lanes, MakingStream(original.version_id, format) as stream, workspace() as directory:
            playlist_bytes, segments = await _encode(original, file, format, directory, meter.of(format))
            async with publishing:  # one after the other, so that no master playlist forgets a stream
                await stream.publish(playlist_bytes)
        return segments

    async with original.open() as file:
        ends = await asyncio.gather(*(make(format, file) for format in plan.formats), return_exceptions=True)
    errors = [end for end in ends if isinstance(end, BaseException)]
    if errors:
        raise min(errors, key=_is_permanent)
    return {format: end for format, end in zip(plan.formats, ends, strict=True) if isinstance(end, int)}


async def _encode(
    original: Original, file: Path, format: StreamFormat, directory: Path, on_seconds: OnSeconds
) -> tuple[int, int]:
    """One stream into storage. Gives the size of its playlist in bytes and the number of its segments."""
    duration_s, rate, channels = original.measured()
    arguments = [*ffmpeg.source(file), *encoding(format, get_settings().media, rate, channels)]
    await ffmpeg.run(arguments, cwd=directory, on_seconds=on_seconds)
    playlist = await asyncio.to_thread(whole_playlist, directory, duration_s)
    await upload_stream(original.version_id, format, directory, playlist)
    return (directory / PLAYLIST).stat().st_size, len(playlist.segments)


def _is_permanent(error: BaseException) -> bool:
    return isinstance(error, BacklineError) and error.steer is Steer.DIE


class Meter:
    """Turns ffmpeg's seconds of each stream into the progress of all: never back, never over the end."""

    def __init__(self, report: Report, duration_s: float, formats: Sequence[StreamFormat]) -> None:
        self._report = report
        self._duration_s = duration_s
        self._made = dict.fromkeys(formats, 0.0)
        self._message = f"making {', '.join(format for format in StreamFormat if format in self._made)}"

    def of(self, format: StreamFormat) -> OnSeconds:
        """Who listens to the program that makes this format."""

        async def note(seconds: float) -> None:
            self._made[format] = max(self._made[format], min(seconds, self._duration_s))
            await self._report(sum(self._made.values()), len(self._made) * self._duration_s, self._message)

        return note


@task(queue=QUEUE, priority=10, limit=2, rate="10/60s", retry=RETRY, timeout=3600, key="transcode:{version_id}")
async def transcode_version(version_id: str, formats: list[StreamFormat]) -> dict[str, object]:
    """Make the streams of a version. A repeat writes the same objects under the same names, the playlists last."""
    run = current_run()
    plan = await plan_streams(version_id, formats)
    async with Making(version_id):
        made = await make_streams(plan, run.progress)
    await run.progress(1, 1, "ready")
    return {"segments": made, "skipped": plan.refused}


schedule_transcode = scheduler(transcode_version)
