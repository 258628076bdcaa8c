"""A private directory for one piece of work: made for it, gone with it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PREFIX = "backline-media-"
ABANDONED_S = 24 * 3600  # no run of ours may take so long, so nobody works in there any more


@asynccontextmanager
async def workspace() -> AsyncIterator[Path]:
    """An empty directory that nobody else may read. It is removed however the block ends."""
    await asyncio.to_thread(_sweep)
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=PREFIX))
    try:
        yield directory
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True))


def _sweep() -> None:
    # A worker that was killed could not tidy up.
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
