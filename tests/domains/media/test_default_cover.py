"""A drawn cover is always the same for a track, and another for another."""

from backend.db.ids import new_id
from backend.domains.media.default_cover import SIDE, draw_default


def test_the_same_track_has_the_same_picture() -> None:
    assert draw_default("a").tobytes() == draw_default("a").tobytes()


def test_no_two_tracks_look_alike() -> None:
    pictures = {draw_default(new_id()).resize((32, 32)).tobytes() for _ in range(40)}
    assert len(pictures) == 40
    assert draw_default(new_id()).size == (SIDE, SIDE)
