"""How alike two fingerprints are, and by which of its numbers one is found among millions: pure arithmetic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Fingerprint = NDArray[np.uint32]

# Measured: the same sound in other formats and shifted in time differs in at most 7 % of the bits, another in 40 %.
MOST_ERROR = 0.15
LEAST_OVERLAP = 32  # numbers, four seconds: in fewer, strangers agree by chance
LEAST_SHARE = 0.5  # of the shorter one that must lie beside the other
MOST_OFFSET = 240  # numbers, 30 seconds
LEAST_TERMS = 16
INDEXED_TERMS = 64

TOO_SHORT = "too short: there is nothing to tell it by"
TOO_UNIFORM = "too uniform: silence and steady tones are all alike"


@dataclass(frozen=True)
class Likeness:
    """The best alignment of two fingerprints: the share of bits that differ, and how far the second one starts later."""

    error: float
    offset: int


def flaw(numbers: Fingerprint) -> str | None:
    """Why this fingerprint tells a sound from no other; None when it does."""
    if len(numbers) < LEAST_OVERLAP:
        return TOO_SHORT
    return TOO_UNIFORM if len(terms(numbers)) < LEAST_TERMS else None


def terms(numbers: Fingerprint) -> Fingerprint:
    """The different numbers that say something, in no order. One that only goes on says nothing: silence does that."""
    if not len(numbers):
        return numbers
    fresh = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    held = np.concatenate([~fresh[1:], [False]])
    return np.setdiff1d(numbers[fresh & ~held], numbers[~fresh])


def by_rank(numbers: Fingerprint) -> Fingerprint:
    """The terms in the order in which they are indexed: the same order for all sounds, so that alike ones share some.

    Smallest hash first, as in a bottom-k sketch (Cohen and Kaplan, 2007).
    """
    found = terms(numbers)
    return found[np.argsort(mixed(found), kind="stable")]


def mixed(numbers: Fingerprint) -> Fingerprint:
    """Each number's hash, by the finaliser of MurmurHash3: every bit moves every bit, and no two become one."""
    hashes = numbers.astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashes = (hashes ^ (hashes >> np.uint32(shift))) * np.uint32(factor)
    return hashes ^ (hashes >> np.uint32(16))


def compare(one: Fingerprint, other: Fingerprint) -> Likeness | None:
    """The alignment in which the fewest bits differ. None when they cannot overlap far enough."""
    least = max(LEAST_OVERLAP, int(LEAST_SHARE * min(len(one), len(other))))
    best: Likeness | None = None
    for offset in range(-MOST_OFFSET, MOST_OFFSET + 1):
        left, right = one[max(0, -offset) :], other[max(0, offset) :]
        overlap = min(len(left), len(right))
        if overlap < least:
            continue
        error = float(np.bitwise_count(left[:overlap] ^ right[:overlap]).mean()) / 32
        if best is None or error < best.error:
            best = Likeness(error, offset)
    return best


def is_same(likeness: Likeness | None) -> bool:
    """Whether two sounds that are so alike are one."""
    return likeness is not None and likeness.error <= MOST_ERROR
