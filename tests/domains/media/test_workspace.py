"""A working directory is private, and gone afterwards."""

import asyncio
import stat

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
