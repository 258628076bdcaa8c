"""The picture of a waveform: a PNG of the whole sound, whatever its length."""

import io

import numpy as np
from PIL import Image

from backend.domains.media.peaks import Samples, columns

WIDTH, HEIGHT = 1800, 280
BACKGROUND, WAVE = (214, 214, 214), (63, 77, 155)
FULL_SCALE = 32768


def draw(pairs: Samples) -> bytes:
    """A PNG of 1800 x 280 pixels. `pairs` has shape (buckets, 2); full scale fills the height, silence is a line."""
    bounds = columns(pairs, WIDTH).astype(np.float64)
    # Row 0 is the top, so the largest sample gives the first row of a column.
    rows = np.floor((1 - bounds / FULL_SCALE) / 2 * HEIGHT).clip(0, HEIGHT - 1)
    bottom, top = rows[:, 0], rows[:, 1]
    row = np.arange(HEIGHT)[:, None]
    image = Image.fromarray(((row >= top) & (row <= bottom)).astype(np.uint8), mode="P")
    image.putpalette([*BACKGROUND, *WAVE])
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
