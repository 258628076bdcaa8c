"""The picture shows the whole sound at its true height."""

import io

import numpy as np
import pytest
from PIL import Image

from backend.domains.media.picture import BACKGROUND, HEIGHT, WAVE, WIDTH, draw


def rows_of_wave(pairs: list[list[int]], column: int) -> list[int]:
    image = np.array(Image.open(io.BytesIO(draw(np.array(pairs, dtype=np.int16)))).convert("RGB"))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert ((image == WAVE).all(axis=2) | (image == BACKGROUND).all(axis=2)).all()
    return np.flatnonzero((image[:, column] == WAVE).all(axis=1)).tolist()


def test_silence_is_a_line_in_the_middle() -> None:
    assert rows_of_wave([[0, 0]], 900) == [HEIGHT // 2]


def test_s43_numpy_and_pillow_draw_to_the_full_height() -> None:
    assert rows_of_wave([[-32768, 32767]], 0) == list(range(HEIGHT))


@pytest.mark.parametrize(("pairs", "above"), [([[0, 16384]], True), ([[-16384, 0]], False)])
def test_up_is_up(pairs: list[list[int]], above: bool) -> None:
    rows = rows_of_wave(pairs, WIDTH - 1)
    assert len(rows) == pytest.approx(HEIGHT / 4, abs=2)
    assert (max(rows) <= HEIGHT // 2) if above else (min(rows) >= HEIGHT // 2)


def test_time_goes_from_left_to_right() -> None:
    quiet_then_loud = [[0, 0]] * 500 + [[-30000, 30000]] * 500
    assert len(rows_of_wave(quiet_then_loud, 0)) == 1
    assert len(rows_of_wave(quiet_then_loud, WIDTH - 1)) > 200
