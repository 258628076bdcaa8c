"""The verdict: a dominant song or a sustained one flags, the uploader's own song does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.adapters.audd import Match
from backend.domains.media.verdict import Finding, Verdict, judge, slug_of


def matches(*songs: str) -> list[Match]:
    """`Artist/Title@place`."""
    return [Match(*name.split("/"), place) for name, _, place in (song.partition("@") for song in songs)]


@pytest.mark.parametrize(
    ("found", "names", "finding", "percent", "sustained"),
    [
        ([], [], "clear", 0, 0),
        (["A/x@1"], [], "flagged", 100, 0),
        (["A/x@1", "B/y@2", "C/z@3", "D/w@4"], [], "clear", 25, 0),
        (["A/x@1", "B/y@2", "C/z@3"], [], "flagged", 33.33, 0),
        (["A/x@1", "a/X@2", *(f"S{n}/t@{n}" for n in range(6))], [], "clear", 25, 0),
        (["A/x@1", "A/x@2", "a/X@3", *(f"S{n}/t@{n}" for n in range(20))], [], "flagged", 13.04, 1),
        (["A/x@1", "A/x@1", "A/x@1", *(f"S{n}/t@{n}" for n in range(20))], [], "clear", 13.04, 0),
        (["Nina Simone/x@1", "Nina Simone/x@2", "Nina Simone/x@3"], ["nina-simone"], "clear", 0, 0),
        (["DJ Nina Simone/x@1"], ["Nina  Simone!"], "clear", 0, 0),
        (["Abc/x@1"], ["abc"], "flagged", 100, 0),  # too short to be sure
        (["Nina/x@1", "Other/y@1", "Other/y@2", "Other/y@3"], ["nina"], "flagged", 75, 1),
        (["Nina/x@1", "Nina/x@2", "Nina/x@3", "Other/y@2"], ["nina"], "clear", 25, 0),
    ],
)
def test_what_flags(found: list[str], names: list[str], finding: str, percent: float, sustained: int) -> None:
    verdict = judge(matches(*found), names, 30, 3)
    assert (verdict.finding, verdict.dominant_percent, verdict.sustained_songs) == (finding, percent, sustained)


def test_the_thresholds_are_inclusive() -> None:
    found = matches("A/x@1", *(f"S{n}/t@{n}" for n in range(9)))
    assert judge(found, [], 10, 3).finding is Finding.FLAGGED
    assert judge(found, [], 10.01, 3).finding is Finding.CLEAR
    assert judge(found, [], 50, 1).finding is Finding.FLAGGED


def test_the_dominant_song_keeps_its_spelling() -> None:
    verdict = judge(matches("Björk/Jóga@1", "BJÖRK/JÓGA@2"), [], 30, 3)
    assert (verdict.dominant_artist, verdict.dominant_title) == ("Björk", "Jóga")
    assert slug_of("Björk & Co.") == "bjorkco"


@given(st.lists(st.builds(Match, st.sampled_from("ABC"), st.sampled_from("xy"), st.sampled_from("123")), max_size=30))
def test_it_does_not_hang_on_the_order(found: list[Match]) -> None:
    def essence(verdict: Verdict) -> tuple[object, ...]:
        return verdict.finding, verdict.dominant_percent, verdict.sustained_songs

    assert essence(judge(found, [], 30, 3)) == essence(judge(found[::-1], [], 30, 3))
