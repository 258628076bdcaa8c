"""A segment is whole when its boxes fill it, and cut short at any other byte."""

import struct
from pathlib import Path

import pytest

from backend.domains.media.boxes import is_whole
from tests import audio


def fragmented(tmp_path: Path) -> bytes:
    plain = audio.tone(tmp_path / "a.wav", 1.0)
    file = tmp_path / "a.mp4"
    audio.ffmpeg("-i", plain, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", file)
    return file.read_bytes()


def test_a_file_of_boxes_is_whole_and_no_part_of_it_is(tmp_path: Path) -> None:
    data = fragmented(tmp_path)
    file = tmp_path / "b.mp4"
    sizes, at = set(), 0
    while at < len(data):
        at += struct.unpack(">I", data[at : at + 4])[0]
        sizes.add(at)
    for size in [*range(0, 200), *range(200, len(data), 97), *sizes]:
        file.write_bytes(data[:size])
        assert is_whole(file) is (size in sizes), size


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"", False),
        (struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234", True),  # a size in 64 bits
        (struct.pack(">I4sQ", 1, b"mdat", 21) + b"1234", False),
        (struct.pack(">I4s", 1, b"mdat"), False),
        (struct.pack(">I4s", 0, b"mdat") + b"to the end", False),
        (struct.pack(">I4s", 7, b"mdat"), False),
    ],
)
def test_what_a_box_says_of_its_size(tmp_path: Path, data: bytes, whole: bool) -> None:
    file = tmp_path / "a.m4s"
    file.write_bytes(data)
    assert is_whole(file) is whole


def test_no_file_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "a.m4s")
