"""The crew of one process with its storage, uploads into it, and patience until runs stand as they should."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend._internal.background import background
from backend.domains.media.tracks import TrackView, get_track
from backend.domains.media.upload import Upload, store_upload
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.runtime.views import RunView
from backend.settings import get_settings
from backend.storage import Storage, open_storage

PATIENCE_S = 40.0
CREW = ("ingest_upload", "transcode_version")
DONE = {"succeeded", "dead", "cancelled"}


@asynccontextmanager
async def house() -> AsyncIterator[Storage]:
    """The storage, the database and the crew of one process."""
    async with open_storage(get_settings()) as store, background(get_settings(), "worker"):
        yield store


async def upload(file: Path) -> Upload:
    """A file that was uploaded; the crew goes on with it."""

    async def body() -> AsyncIterator[bytes]:
        yield await asyncio.to_thread(file.read_bytes)

    return await store_upload(body(), file.name)


async def runs_until(wanted: dict[str, str], seconds: float = PATIENCE_S) -> dict[str, RunView]:
    """The newest run of each task, once these tasks have these states."""
    found: dict[str, RunView] = {}
    async with asyncio.timeout(seconds):
        while {task: found[task].state for task in wanted if task in found} != wanted:
            found = {run.task: run for run in reversed(await runs.list_runs(RunFilter(), limit=100))}
            if any(found[task].state in DONE and found[task].state != wanted[task] for task in wanted if task in found):
                pytest.fail(f"{[(run.task, run.state, run.error) for run in found.values()]}")
            await asyncio.sleep(0.05)
    return found


async def settled(made: Upload, status: str) -> TrackView:
    """The track, once its version has this status."""
    for _ in range(int(PATIENCE_S / 0.05)):
        if (track := await get_track(made.track_id)).version.status == status:
            return track
        await asyncio.sleep(0.05)
    raise AssertionError(f"the version is {track.version.status}: {track.version.error}")
