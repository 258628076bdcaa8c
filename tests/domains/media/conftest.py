"""A store, a place for temporary files, and uploads that are ready for the crew."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from backend.db.models.media import TrackVersion
from backend.db.session import database as current_database
from backend.domains.media.ingest import inspect_original
from backend.domains.media.upload import Upload, store_upload
from backend.runtime import RunContext
from backend.runtime.context import enter_run
from backend.settings import get_settings
from backend.storage import Storage, open_storage

T = TypeVar("T")


@pytest.fixture
async def store() -> AsyncIterator[Storage]:
    """The process's storage, in the test's own directory."""
    async with open_storage(get_settings()) as opened:
        yield opened


class Temporary:
    """A directory that should be empty when the work is over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def left(self) -> list[str]:
        """What somebody forgot in it."""
        return [str(path.relative_to(self._directory)) for path in self._directory.rglob("*")]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Temporary:
    """Where working directories are made. Ask for it after the database, whose server has files there too."""
    directory = tmp_path / "tmp %d"  # what ffmpeg would read as a pattern
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return Temporary(directory)


async def sent(file: Path, size: int = 65536) -> AsyncIterator[bytes]:
    """A file as a client sends it."""
    data = await asyncio.to_thread(file.read_bytes)
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


async def upload(file: Path) -> Upload:
    """A file that was uploaded and not looked at yet."""
    return await store_upload(sent(file), file.name)


async def ingested(file: Path) -> Upload:
    """A file that was uploaded and ingested."""
    made = await upload(file)
    await inspect_original(made.version_id)
    return made


async def version_of(made: Upload) -> TrackVersion:
    """The version's row as it is now."""
    async with current_database().reading() as session:
        version = await session.get(TrackVersion, made.version_id)
    assert version is not None
    return version


async def as_attempt(number: int, work: Callable[[], Awaitable[T]]) -> T:
    """Do some work as the runner would: inside of a run, on this attempt."""

    async def inside() -> T:
        enter_run(RunContext("0192a6b1-0000-7000-8000-000000000000", "test", number))
        return await work()

    return await asyncio.create_task(inside())


async def quiet(*_: object) -> None:
    """A listener who is not interested."""


def broken_ffmpeg(tmp_path: Path, body: str = "echo '[error] it broke' >&2; exit 1") -> str:
    """A program that takes ffmpeg's place and does something else."""
    program = tmp_path / "broken-ffmpeg"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)
