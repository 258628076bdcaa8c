"""Waveforms as text."""

from backend.cli.waveform import draw, peaks


def test_takes_the_loudest_of_each_stretch() -> None:
    assert peaks([-64, 10, 0, 32, -128, 127, 0, 0], 2) == [0.5, 1.0]


def test_draws_from_the_bottom_up() -> None:
    assert draw([-127, 127, -64, 64, 0, 0], width=3, rows=2) == ["█  ", "██ "]


def test_is_never_wider_than_its_data() -> None:
    assert [len(line) for line in draw([0, 1] * 10, width=72)] == [10, 10, 10]


def test_silence_and_nothing_are_flat() -> None:
    assert draw([0, 0] * 4, width=4, rows=1) == ["    "]
    assert draw([], width=4, rows=1) == ["    "]
