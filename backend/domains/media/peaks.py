"""Smallest and largest samples of a sound, bucket by bucket, from a stream of PCM: pure arithmetic."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def mono(block: bytes, channels: int) -> Samples:
    """Interleaved 16-bit samples as one channel: their mean, cut towards zero as the audiowaveform program does."""
    frames = np.frombuffer(block, dtype="<i2").reshape(-1, channels)
    if channels == 1:
        return frames[:, 0].astype(np.int16)
    return np.trunc(frames.sum(axis=1, dtype=np.int32) / channels).astype(np.int16)


class Peaks:
    """Collects the smallest and the largest of every `samples_per_bucket` samples. Keeps nothing else of the sound."""

    def __init__(self, samples_per_bucket: int) -> None:
        self.samples_per_bucket = samples_per_bucket
        self.samples = 0
        self._rest: Samples = np.empty(0, dtype=np.int16)
        self._pairs: list[Samples] = []

    def add(self, samples: Samples) -> None:
        """The next samples of the sound, any number of them."""
        self.samples += len(samples)
        pending = np.concatenate([self._rest, samples])
        whole = len(pending) - len(pending) % self.samples_per_bucket
        if whole:
            buckets = pending[:whole].reshape(-1, self.samples_per_bucket)
            self._pairs.append(np.stack([buckets.min(axis=1), buckets.max(axis=1)], axis=1))
        self._rest = pending[whole:].copy()

    def pairs(self) -> Samples:
        """What came so far, shape (buckets, 2): smallest and largest. The last bucket may hold fewer samples."""
        parts = list(self._pairs)
        if len(self._rest):
            parts.append(np.array([[self._rest.min(), self._rest.max()]], dtype=np.int16))
        return np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.int16)


def to_8_bit(pairs: Samples) -> NDArray[np.int8]:
    """16-bit values as 8-bit ones, cut towards zero as the audiowaveform program does."""
    return np.trunc(pairs / 256).astype(np.int8)


def columns(pairs: Samples, width: int) -> Samples:
    """All pairs on `width` columns, shape (width, 2). Each column covers every bucket that it touches."""
    count = len(pairs)
    edges = np.arange(width + 1) * count / width
    first = np.floor(edges[:-1]).astype(int)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    lows = [pairs[start:end, 0].min() for start, end in zip(first, last, strict=True)]
    highs = [pairs[start:end, 1].max() for start, end in zip(first, last, strict=True)]
    return np.stack([lows, highs], axis=1).astype(np.int16)
