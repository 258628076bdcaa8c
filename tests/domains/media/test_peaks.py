"""Peaks by the definition of the audiowaveform program, however the stream is cut into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domains.media.peaks import Peaks, columns, mono, to_8_bit

SAMPLE = st.integers(-32768, 32767)


def towards_zero(value: int, by: int) -> int:
    """Division as C++ does it."""
    return abs(value) // by * (1 if value >= 0 else -1)


@given(st.lists(SAMPLE, min_size=1, max_size=300), st.integers(1, 40), st.integers(1, 50))
def test_blocks_do_not_matter(samples: list[int], bucket: int, block: int) -> None:
    peaks = Peaks(bucket)
    for start in range(0, len(samples), block):
        peaks.add(np.array(samples[start : start + block], dtype=np.int16))
    parts = [samples[start : start + bucket] for start in range(0, len(samples), bucket)]
    assert peaks.pairs().tolist() == [[min(part), max(part)] for part in parts]
    assert peaks.samples == len(samples)


@given(st.lists(st.tuples(SAMPLE, SAMPLE, SAMPLE), min_size=1, max_size=50))
def test_channels_are_mixed_by_their_mean(frames: list[tuple[int, int, int]]) -> None:
    block = np.array(frames, dtype="<i2").tobytes()
    assert mono(block, 3).tolist() == [towards_zero(sum(frame), 3) for frame in frames]


@given(st.lists(SAMPLE, min_size=1, max_size=50))
def test_one_channel_is_left_as_it_is(samples: list[int]) -> None:
    assert mono(np.array(samples, dtype="<i2").tobytes(), 1).tolist() == samples


@given(st.lists(st.tuples(SAMPLE, SAMPLE), min_size=1, max_size=50))
def test_s41_8_bits_keep_the_sign(pairs: list[tuple[int, int]]) -> None:
    got = to_8_bit(np.array(pairs, dtype=np.int16)).tolist()
    assert got == [[towards_zero(low, 256), towards_zero(high, 256)] for low, high in pairs]


def test_nothing_has_no_peaks() -> None:
    assert Peaks(10).pairs().shape == (0, 2)


@given(st.lists(st.tuples(SAMPLE, SAMPLE).map(sorted), min_size=1, max_size=200), st.integers(1, 100))
def test_s42_every_column_is_filled_and_no_peak_is_lost(pairs: list[list[int]], width: int) -> None:
    got = columns(np.array(pairs, dtype=np.int16), width)
    assert got.shape == (width, 2)
    assert (got[:, 0].min(), got[:, 1].max()) == (min(low for low, _ in pairs), max(high for _, high in pairs))


@pytest.mark.parametrize("width", [1, 3, 1800])
def test_columns_go_from_the_first_to_the_last_bucket(width: int) -> None:
    pairs = np.stack([np.arange(1000), np.arange(1000)], axis=1).astype(np.int16)
    got = columns(pairs, width)
    assert (got[0, 0], got[-1, 1]) == (0, 999)
    assert (np.diff(got[:, 0]) >= 0).all()
