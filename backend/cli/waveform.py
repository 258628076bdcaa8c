"""A waveform as blocks of text, for a terminal."""

from collections.abc import Sequence
from itertools import pairwise

EIGHTHS = " ▁▂▃▄▅▆▇█"


def peaks(data: Sequence[int], width: int) -> list[float]:
    """The loudest of each of `width` stretches, from 0 to 1 of the loudest of all.

    `data` holds minimum and maximum in turn, as audiowaveform's JSON does.
    """
    pairs = [max(abs(low), abs(high)) for low, high in zip(data[::2], data[1::2], strict=False)]
    if not pairs:
        return [0.0] * width
    width = min(width, len(pairs))
    bounds = [round(column * len(pairs) / width) for column in range(width + 1)]
    columns = [max(pairs[start:end]) for start, end in pairwise(bounds)]
    top = max(columns) or 1
    return [column / top for column in columns]


def draw(data: Sequence[int], width: int = 72, rows: int = 3) -> list[str]:
    """`rows` lines of block characters, the top one first."""
    heights = [round(peak * rows * 8) for peak in peaks(data, width)]
    return ["".join(EIGHTHS[min(8, max(0, height - 8 * row))] for height in heights) for row in reversed(range(rows))]
