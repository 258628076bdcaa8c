"""A private directory for one piece of work: made for it, gone with it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PREFIX = "backline-media-"


@asynccontextmanager
async def workspace() -> AsyncIterator[Path]:
    """An empty directory that nobody else may read. It is removed however the block ends."""
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=PREFIX))
    try:
        yield directory
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True))
