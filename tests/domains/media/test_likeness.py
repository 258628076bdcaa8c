"""What makes two fingerprints one sound, and by which numbers they find each other."""

import numpy as np
import pytest

from backend.domains.media.likeness import (
    INDEXED_TERMS,
    LEAST_OVERLAP,
    MOST_OFFSET,
    TOO_SHORT,
    TOO_UNIFORM,
    Fingerprint,
    by_rank,
    compare,
    flaw,
    is_same,
    mixed,
    terms,
)


def some(count: int, seed: int = 1) -> Fingerprint:
    """Numbers without any pattern."""
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


def with_errors(numbers: Fingerprint, share: float) -> Fingerprint:
    """The same with this share of its bits turned."""
    bits = np.unpackbits(numbers.view(np.uint8))
    turned = np.random.default_rng(5).random(len(bits)) < share
    return np.packbits(bits ^ turned).view(np.uint32)


def test_s38_a_few_wrong_bits_are_the_same_sound() -> None:
    numbers = some(300)
    for share, same in ((0.0, True), (0.014, True), (0.07, True), (0.12, True), (0.2, False), (0.4, False)):
        likeness = compare(numbers, with_errors(numbers, share))
        assert likeness
        assert (likeness.error == pytest.approx(share, abs=0.01), likeness.offset, is_same(likeness)) == (True, 0, same)


@pytest.mark.parametrize("offset", [1, 7, 120, MOST_OFFSET, -1, -120, -MOST_OFFSET])
def test_s38_a_sound_that_starts_later(offset: int) -> None:
    numbers, lead = some(600), some(abs(offset), seed=2)
    later = np.concatenate([lead, numbers])
    likeness = compare(numbers, later) if offset > 0 else compare(later, numbers)
    assert likeness
    assert (likeness.error, likeness.offset) == (0.0, offset)


def test_one_too_far_away_is_another() -> None:
    numbers = some(600)
    assert not is_same(compare(numbers, np.concatenate([some(MOST_OFFSET + 1, seed=2), numbers])))


def test_a_short_overlap_proves_nothing() -> None:
    numbers = some(300)
    assert not is_same(compare(numbers, np.concatenate([numbers[-100:], some(200, seed=2)])))
    assert compare(numbers[: LEAST_OVERLAP - 1], numbers) is None


def test_strangers_are_far_apart() -> None:
    errors = [compare(some(948), some(948, seed)).error for seed in range(2, 12)]  # type: ignore[union-attr]
    assert min(errors) > 0.4


def test_what_only_goes_on_says_nothing() -> None:
    numbers = np.array([7, 7, 7, 1, 2, 3, 3, 4, 7, 5, 5], dtype=np.uint32)
    assert sorted(terms(numbers).tolist()) == [1, 2, 4]
    assert terms(numbers[:0]).tolist() == []
    assert terms(numbers[3:4]).tolist() == [1]


def test_s40_what_tells_a_sound_from_no_other() -> None:
    assert flaw(some(0)) == flaw(some(LEAST_OVERLAP - 1)) == TOO_SHORT
    assert flaw(np.full(900, 558758263, dtype=np.uint32)) == TOO_UNIFORM
    assert flaw(some(LEAST_OVERLAP)) is None


def test_alike_sounds_are_indexed_under_the_same_terms() -> None:
    def indexed(found: Fingerprint) -> set[int]:
        return set(by_rank(found)[:INDEXED_TERMS].tolist())

    numbers = some(900)
    found = indexed(numbers)
    assert len(found) == INDEXED_TERMS
    assert found == indexed(np.concatenate([numbers[450:], numbers[:450]]))
    assert len(found & indexed(numbers[50:])) > INDEXED_TERMS * 0.8
    assert not found & indexed(some(900, seed=2))


def test_no_two_numbers_have_one_hash() -> None:
    assert len(np.unique(mixed(some(100_000)))) == len(np.unique(some(100_000)))
