"""Transcode: one download becomes streams that play, each by itself, and what is made beside them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds
from backend.domains.media.extras import Extra, make_again, make_extra
from backend.domains.media.formats import PLAYLIST, StreamFormat, encoding
from backend.domains.media.lanes import side_by_side
from backend.domains.media.meter import Meter, Report
from backend.domains.media.plan import Plan, plan_streams
from backend.domains.media.segments import uploads, whole_playlist
from backend.domains.media.streams import MakingStream, begin_streams, skip_stream
from backend.domains.media.versions import QUEUE, RETRY, Making, Original
from backend.domains.media.workspace import workspace
from backend.errors import BacklineError, Steer
from backend.runtime import current_run, scheduler, task
from backend.settings import get_settings


@dataclass(frozen=True)
class Made:
    """What a transcode came to: segments by format, why a format was skipped, and what became of each extra."""

    segments: dict[str, int]
    skipped: dict[str, str]
    beside: dict[str, str]


async def make_streams(plan: Plan, report: Report, beside: Sequence[Extra] = ()) -> Made:
    """Make a version's streams from one download and publish each; make the extras beside them.

    The version is `ready` as soon as one stream plays. One that fails stops nothing else; when all have ended its error
    is raised, of several the one that another attempt may mend. An extra that fails is handed to its own task.
    """
    original, publishing = plan.original, asyncio.Lock()
    await begin_streams(original.version_id, plan.formats)
    for format, reason in plan.refused.items():
        await skip_stream(original.version_id, format, reason)
    meter = Meter(report, original.measured()[0], [*plan.formats, *beside])
    async with original.open() as file:
        # What is critical comes first: a lane that has ended one piece of work takes the next.
        streams = {each: partial(_make, original, file, each, meter.of(each), publishing) for each in plan.formats}
        extras = {each: partial(make_extra, each, original, file, meter.of(each)) for each in beside}
        ends = await side_by_side(get_settings().media.transcode_lanes, {**streams, **extras})
    errors = {name: end for name, end in ends.items() if isinstance(end, BaseException)}
    made = {
        each: await make_again(each, original.version_id, errors[each]) if each in errors else "done" for each in beside
    }
    if failed := [errors[each] for each in plan.formats if each in errors]:
        raise min(failed, key=_is_permanent)
    return Made({each: ends[each] for each in plan.formats}, dict(plan.refused), made)


async def _make(
    original: Original, file: Path, format: StreamFormat, on_seconds: OnSeconds, publishing: asyncio.Lock
) -> int:
    """One stream, from the open original to listeners. Gives the number of its segments."""
    duration_s, rate, channels = original.measured()
    arguments = [*ffmpeg.source(file), *encoding(format, get_settings().media, rate, channels)]
    async with MakingStream(original.version_id, format, original.home) as stream, workspace() as directory:
        async with uploads(original.version_id, format, directory, home=original.home, plays=stream.plays) as under_way:

            async def note(seconds: float) -> None:
                if not stream.plays:  # what plays is not replaced before all of the new is there
                    under_way.send_finished()
                await on_seconds(seconds)

            await ffmpeg.run(arguments, cwd=directory, on_seconds=note)
            playlist = await asyncio.to_thread(whole_playlist, directory, duration_s)
            under_way.send(*playlist.files)
        async with publishing:  # one after the other, so that no master playlist forgets a stream
            await stream.publish((directory / PLAYLIST).stat().st_size)
    return len(playlist.segments)


def _is_permanent(error: BaseException) -> bool:
    return isinstance(error, BacklineError) and error.steer is Steer.DIE


@task(queue=QUEUE, priority=10, limit=2, rate="10/60s", retry=RETRY, timeout=3600, key="transcode:{version_id}")
async def transcode_version(
    version_id: str, formats: list[StreamFormat], beside: list[Extra] | None = None
) -> dict[str, object]:
    """Make the streams of a version. A repeat writes the same objects under the same names, the playlists last.

    `beside` names what else is made of the same download; its failure is no failure of this run.
    """
    run = current_run()
    plan = await plan_streams(version_id, formats)
    async with Making(version_id):
        made = await make_streams(plan, run.progress, beside or [])
    await run.progress(1, 1, "ready")
    return asdict(made)


schedule_transcode = scheduler(transcode_version)
