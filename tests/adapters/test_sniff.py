"""The kind of a file comes from its bytes."""

from pathlib import Path

import pytest

from backend.adapters.sniff import AAC, FLAC, HEAD, M4A, MP3, OGG, OPUS, sniff
from tests import audio


@pytest.mark.parametrize("suffix", audio.CODECS)
def test_every_kind_is_known_by_its_bytes(tmp_path: Path, suffix: str) -> None:
    kind = sniff(audio.tone(tmp_path / f"a{suffix}", 0.3).read_bytes()[:HEAD])
    assert kind
    assert kind.suffix == suffix


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xxfLaC", FLAC),
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xfb\x90\x64", MP3),
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xf1\x50\x80", AAC),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50), MP3),  # a tag longer than the head
        (b"\x00\x00\x00\x20ftypM4A \x00", M4A),
        (b"OggS" + bytes(22) + b"\x01\x13OpusHead", OPUS),
        (b"OggS" + bytes(22) + b"\x01\x1e\x01vorbis", OGG),
    ],
)
def test_some_need_a_second_look(head: bytes, kind: object) -> None:
    assert sniff(head) is kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"R",
        b"RIFF\x00\x00\x00\x00AVI ",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0JFIF",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"<html>",
        b"#EXTM3U\n",
        b"\xff\xff\xff\xff",
        b"\xff\xfe\x00\x00a\x00",  # UTF-16 text
        b"OggS",
        b"OggS" + bytes(22) + b"\x01\x2a\x80theora",
        b"MZ",
        b"\x1aE\xdf\xa3",
    ],
)
def test_what_is_no_sound_is_nothing(head: bytes) -> None:
    assert sniff(head) is None
