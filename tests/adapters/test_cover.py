"""The cover is found in every container, and the front one of several."""

from pathlib import Path

import pytest

from backend.adapters.cover import read_cover
from backend.errors import InvalidInput
from tests import audio
from tests.domains.media.pictures import plain

BACK, FRONT = plain("PNG"), plain("JPEG", colour="blue")


@pytest.fixture
def back(tmp_path: Path) -> Path:
    """A file of the first."""
    file = tmp_path / "back.png"
    file.write_bytes(BACK)
    return file


@pytest.fixture
def front(tmp_path: Path) -> Path:
    """A file of the second."""
    file = tmp_path / "front.jpg"
    file.write_bytes(FRONT)
    return file


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
async def test_s10_of_several_pictures_the_front_cover(tmp_path: Path, back: Path, front: Path, suffix: str) -> None:
    both = ((back, "Cover (back)"), (front, "Cover (front)"))
    assert await read_cover(audio.with_pictures(tmp_path / f"a{suffix}", *both)) == FRONT
    assert await read_cover(audio.with_pictures(tmp_path / f"b{suffix}", *both[::-1])) == FRONT


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a"])
async def test_s10_without_a_front_cover_the_first(tmp_path: Path, back: Path, front: Path, suffix: str) -> None:
    file = audio.with_pictures(tmp_path / f"a{suffix}", (back, "Cover (back)"), (front, "Artist/performer"))
    assert await read_cover(file) == BACK


async def test_s09_the_media_type_is_not_believed(tmp_path: Path) -> None:
    data = plain("PNG")
    assert await read_cover(audio.with_raw_cover(tmp_path / "a.mp3", data, "image/jpeg")) == data


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".opus"])
async def test_a_file_without_a_cover(tmp_path: Path, suffix: str) -> None:
    assert await read_cover(audio.tone(tmp_path / f"a{suffix}")) is None


async def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="upload it again"):
        await read_cover(audio.text(tmp_path / "a.mp3"))
