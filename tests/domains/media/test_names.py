"""Names that uploaders give are for people's eyes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domains.media.names import shown_name, title_of


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("Blue Hour.flac", "Blue Hour"),
        ("01. Intro.wav", "01. Intro"),
        ("01. Intro", "01. Intro"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Music\\song.mp3", "song"),
        ("/a/b/", "b"),
        (".wav", "wav"),
        ("...", "Untitled"),
        ("", "Untitled"),
        (None, "Untitled"),
        ("\u202egpj.exe", "gpj"),
        ("Für Elise.mp3", "Für Elise"),
        ("a\x00b\n.wav", "ab"),
    ],
)
def test_a_title_comes_from_the_name(filename: str | None, title: str) -> None:
    assert title_of(filename) == title


@given(st.text(st.characters(codec=None), max_size=700))
def test_whatever_is_sent_can_be_stored_and_shown(name: str) -> None:
    shown = shown_name(name)
    assert shown is None or (0 < len(shown) <= 500 and shown.encode() and "\x00" not in shown)
    assert title_of(name)
