"""Archives as a stream: readable by everybody's tools, and never held as a whole."""

import asyncio
import io
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.domains.media.archive import BLOCK, Member, pack
from backend.errors import Unavailable


def _member(name: str, content: bytes, size: int | None = None) -> Member:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            await asyncio.sleep(0)
            yield content[start : start + 1000]

    return Member(name, len(content) if size is None else size, chunks)


def _accepted_by_unzip(file: Path) -> bool:
    # Info-ZIP, where the machine has it: it looks at more than Python does.
    unzip = shutil.which("unzip")
    return unzip is None or subprocess.run([unzip, "-tq", file], capture_output=True, check=False).returncode == 0


def _last() -> tuple[str, bytes]:
    return "manifest.json", b"{}"


async def test_it_holds_what_went_in_and_others_can_read_it(tmp_path: Path) -> None:
    contents = {"One.wav": b"1" * 2_500_000, "Größe 東京.flac": b"2" * 1001, "empty.mp3": b""}
    blocks = [block async for block in pack([_member(*each) for each in contents.items()], _last)]
    assert max(map(len, blocks)) < 2 * BLOCK
    file = tmp_path / "made.zip"
    file.write_bytes(b"".join(blocks))
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*contents, "manifest.json"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {name: archive.read(name) for name in contents} == contents
    assert await asyncio.to_thread(_accepted_by_unzip, file)


async def test_a_member_that_is_shorter_than_announced_ends_it() -> None:
    with pytest.raises(Unavailable, match=r"short\.wav"):
        [block async for block in pack([_member("short.wav", b"x" * 10, size=11)], _last)]


async def test_a_member_that_breaks_off_ends_it_with_its_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise Unavailable("storage is away")

    with pytest.raises(Unavailable, match="storage is away"):
        [block async for block in pack([Member("broken.wav", 10, broken)], _last)]


async def test_one_that_nobody_reads_on_asks_for_nothing_more() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 65536

    archive = pack([Member("endless.wav", 1 << 40, endless)], _last)
    await anext(archive)
    await archive.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0.05)
    before = read
    await asyncio.sleep(0.1)
    assert (read, before < 100) == (before, True)


async def test_the_loop_goes_on_meanwhile() -> None:
    longest = 0.0

    async def measure() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

    measuring = asyncio.create_task(measure())
    size = sum([len(block) async for block in pack([_member(f"{n}.wav", b"x" * 3_000_000) for n in range(5)], _last)])
    measuring.cancel()
    assert size > 15_000_000
    assert longest < 1.0


def test_an_empty_one_is_one_too() -> None:
    async def made() -> bytes:
        return b"".join([block async for block in pack([], _last)])

    assert zipfile.ZipFile(io.BytesIO(asyncio.run(made()))).namelist() == ["manifest.json"]
