"""Names inside an archive: safe on every system, and each there once."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domains.media.archive_names import LONGEST, Names, file_stem


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Song", "Song"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("..", "untitled"),
        ("", "untitled"),
        ("\n\t ", "untitled"),
        ('a/b\\c:d*e?f"g<h>i|j', "a-b-c-d-e-f-g-h-i-j"),
        ("CON", "_CON"),
        ("aux.wav", "_aux.wav"),
        ("Console", "Console"),
        ("; rm -rf ~ 'x'", "; rm -rf ~ 'x'"),
        ("Größe 東京 Пример", "Größe 東京 Пример"),
        ("line\nbreak\x00nul", "line break nul"),
        ("trailing. . ", "trailing"),
        ("e\u0301", "é"),
        ("right\u202eleft", "right left"),
        ("half \ud800", "half"),
    ],
)
def test_a_title_becomes_a_name(title: str, stem: str) -> None:
    assert file_stem(title) == stem


def test_names_that_some_system_takes_for_the_same_are_told_apart() -> None:
    names = Names()
    assert [names.name(title, ".wav") for title in ("A/B", "A-B", "a-b", "A-B (2)", "Ä", "a\u0308")] == [
        "A-B.wav", "A-B (2).wav", "a-b (3).wav", "A-B (2) (2).wav", "Ä.wav", "ä (2).wav",
    ]  # fmt: skip
    assert names.name("A-B", ".flac") == "A-B.flac"


@given(st.lists(st.text(max_size=300), max_size=30))
def test_whatever_the_titles_are_names_are_safe_and_single(titles: list[str]) -> None:
    names = Names()
    given_names = [names.name(title, ".flac") for title in titles]
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in given_names}) == len(titles)
    for name in given_names:
        assert len(name.encode()) <= LONGEST + len(".flac")
        assert not set(name) & set('/\\:*?"<>|\x00\n')
        assert not name.startswith(".")
