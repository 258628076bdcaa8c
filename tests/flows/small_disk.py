"""A process whose disk is too small for its work, until somebody makes room: for the test of full disks.

`python -m tests.flows.small_disk DIRECTORY SIZE FILE` mounts a file system of SIZE over DIRECTORY in a namespace of its
own, uploads FILE, and prints how the crew fares: a JSON line when a run meets the full disk, and one at the end.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from backend.domains.media.tracks import get_track
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.storage import Bucket
from tests.flows.stage import CREW, house, runs_until, settled, upload

CRITICAL = ("ingest_upload", "transcode_version")
INSIDE = "BACKLINE_TEST_SMALL_DISK"


def main(directory: str, size: str, file: str) -> None:
    """Enter the namespace, then do the work there."""
    if INSIDE not in os.environ:
        command = [sys.executable, "-m", "tests.flows.small_disk", directory, size, file]
        os.execvpe("unshare", ["unshare", "--map-root-user", "--mount", *command], {**os.environ, INSIDE: "1"})
    mount("-t", "tmpfs", "-o", f"size={size}", "none", directory)
    asyncio.run(work(directory, Path(file)))


async def work(directory: str, file: Path) -> None:
    """Upload, wait for the trouble, make room, wait for the end."""
    async with house() as store:
        made = await upload(file)
        failed = await first_failure()
        playlists = [info.key.path async for info in store.list(Bucket.PUBLIC) if info.key.path.endswith(".m3u8")]
        version = (await get_track(made.track_id)).version
        say(task=failed.task, state=failed.state, error=failed.error, playlists=playlists, status=version.status)
        await asyncio.to_thread(mount, "-o", "remount,size=400m", directory)
        await runs_until(dict.fromkeys(CREW, "succeeded"))
        track = await settled(made, "ready")
        streams = [stream.status for stream in track.version.streams]
    say(streams=streams, left=await asyncio.to_thread(os.listdir, tempfile.gettempdir()))


async def first_failure() -> runs.RunView:
    """The first run that has to be tried again, of those that a track waits for."""
    async with asyncio.timeout(60):
        while True:
            for run in await runs.list_runs(RunFilter(), limit=100):
                if run.error and run.task in CRITICAL:
                    return run
            await asyncio.sleep(0.02)


def mount(*arguments: str) -> None:
    """Call mount(8)."""
    subprocess.run(["mount", *arguments], check=True)


def say(**what: object) -> None:
    """A line for the test."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
