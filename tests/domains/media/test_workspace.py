"""A working directory is private, and gone afterwards."""

import asyncio
import os
import stat
import time
from pathlib import Path

import pytest

from backend.domains.media.workspace import workspace
from tests.domains.media.conftest import Temporary


async def test_s11_it_is_private_and_removed(temporary: Temporary) -> None:
    async with workspace() as first, workspace() as second:
        assert first != second
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        await asyncio.to_thread((first / "file").write_text, "x")
    assert temporary.left() == []


async def test_s11_an_error_removes_it(temporary: Temporary) -> None:
    async def fail() -> None:
        async with workspace():
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await fail()
    assert temporary.left() == []


async def test_s11_a_cancellation_removes_it(temporary: Temporary) -> None:
    inside = asyncio.Event()

    async def wait() -> None:
        async with workspace() as directory:
            await asyncio.to_thread((directory / "file").write_text, "x")
            inside.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await inside.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert temporary.left() == []


async def test_s11_what_a_killed_worker_left_is_removed_a_day_later(temporary: Temporary, tmp_path: Path) -> None:
    for name, age_s in (("backline-media-old", 25 * 3600), ("backline-media-new", 3600), ("of-others", 99 * 3600)):
        directory = tmp_path / "tmp %d" / name
        directory.mkdir()
        (directory / "original.wav").write_text("x")
        os.utime(directory, (time.time() - age_s,) * 2)
    async with workspace():
        pass
    assert sorted(temporary.left()) == [
        "backline-media-new",
        "backline-media-new/original.wav",
        "of-others",
        "of-others/original.wav",
    ]
