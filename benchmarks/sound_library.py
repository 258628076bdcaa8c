"""A library of many tracks with believable fingerprints, written straight into SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from backend.domains.media.fingerprint import CROWDED
from backend.domains.media.likeness import INDEXED_TERMS, Fingerprint, mixed

CHUNK = 2000  # tracks that are made at a time
NUMBERS = 948  # of 120 s
MOMENT = "2026-01-01 00:00:00.000000"
COMMON = 50_000  # numbers that many tracks have; the most common one nearly every track
COMMON_SHARE = 0.05  # of a track's numbers
NOTHING = np.uint32(0xFFFFFFFF)


class Library:
    """Tracks by number. Each of the four bytes of a track's numbers goes on as in some composed piece, from some place.

    So the numbers follow one another as real ones do. What real music has and pieces from dice have not is put in: one
    number in twenty is a common one, by Zipf's law. A track is the same whenever it is asked for.
    """

    def __init__(self, pieces: Sequence[Fingerprint]) -> None:
        length = min(map(len, pieces))
        whole = np.stack([each[:length].astype("<u4").view(np.uint8).reshape(length, 4) for each in pieces])
        self._bytes = np.concatenate([whole, whole], axis=1)  # so that no start is too late
        self._pieces, self._length = len(pieces), length
        self._common = mixed(np.arange(COMMON, dtype=np.uint32) + np.uint32(7))
        self._zipf = np.cumsum(1 / np.arange(1, COMMON + 1)) / np.sum(1 / np.arange(1, COMMON + 1))

    def tracks(self, first: int, count: int) -> NDArray[np.uint32]:
        """These tracks, shape (count, 948)."""
        numbers = np.arange(first, first + count)
        made = np.empty((count, NUMBERS, 4), dtype=np.uint8)
        for byte in range(4):
            chosen = mixed((numbers * 4 + byte).astype(np.uint32)).astype(np.int64)
            piece, start = chosen % self._pieces, chosen // self._pieces % self._length
            places = start[:, None] + np.arange(NUMBERS)
            made[:, :, byte] = self._bytes[piece[:, None], places, byte]
        return self._with_common(made.view("<u4")[:, :, 0], numbers)

    def _with_common(self, made: NDArray[np.uint32], numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
        count = int(NUMBERS * COMMON_SHARE)
        dice = mixed((numbers[:, None] * 2 * count + np.arange(2 * count)).astype(np.uint32)).astype(np.float64) / 2**32
        places = (dice[:, :count] * NUMBERS).astype(np.int64)
        chosen = np.searchsorted(self._zipf, dice[:, count:])
        made[np.arange(len(made))[:, None], places] = self._common[np.minimum(chosen, COMMON - 1)]
        return made

    def track(self, number: int) -> Fingerprint:
        """One of them."""
        return self.tracks(number, 1)[0].copy()

    def track_id(self, number: int) -> str:
        """Its id in the database."""
        return str(UUID(int=number + 1))


def agreements(pieces: Sequence[Fingerprint]) -> float:
    """Of how many pairs of numbers from two different fingerprints one pair agrees."""
    agreeing = sum(int(np.isin(one, other).sum()) for one, other in combinations(pieces, 2))
    pairs = sum(len(one) * len(other) for one, other in combinations(pieces, 2))
    return pairs / max(agreeing, 1)


def fill(file: Path, library: Library, tracks: int) -> None:
    """Write so many tracks with their fingerprints, and the index over these."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for name, value in (("journal_mode", "OFF"), ("synchronous", "OFF"), ("foreign_keys", "OFF")):
            connection.execute(f"PRAGMA {name}={value}")
        # Only removing tracks needs it; here it would double the work.
        connection.execute("DROP INDEX ix_fingerprint_terms_fingerprint_id")
        connection.execute("BEGIN")
        keys = []
        for first in range(0, tracks, CHUNK):
            made = library.tracks(first, min(CHUNK, tracks - first))
            _write_tracks(connection, library, first, made)
            keys.append(_keys(made, first))
        ordered = _without_crowds(np.sort(np.concatenate(keys)))
        connection.executemany("INSERT INTO fingerprint_terms (term, fingerprint_id) VALUES (?, ?)", _rows(ordered))
        connection.execute("END")


def _write_tracks(connection: sqlite3.Connection, library: Library, first: int, made: NDArray[np.uint32]) -> None:
    ids = [library.track_id(first + number) for number in range(len(made))]
    # One account has ten tracks.
    tracks = [(id, f"Track {id}", f"did:plc:{number // 10}", id, MOMENT) for number, id in enumerate(ids, first)]
    connection.executemany(
        "INSERT INTO tracks (id, title, artist_did, current_version_id, created_at) VALUES (?, ?, ?, ?, ?)", tracks
    )
    connection.executemany(
        "INSERT INTO track_versions (id, track_id, original_asset_id, status, created_at) VALUES (?, ?, ?, 'ready', ?)",
        [(id, id, id, MOMENT) for id in ids],
    )
    connection.executemany(
        "INSERT INTO audio_fingerprints (id, track_version_id, algorithm, numbers, updated_at) VALUES (?, ?, 1, ?, ?)",
        [(number, id, row.tobytes(), MOMENT) for number, (id, row) in enumerate(zip(ids, made, strict=True), first)],
    )


def _keys(made: NDArray[np.uint32], first: int) -> NDArray[np.int64]:
    """The terms of many tracks at once, each with the track's number behind it, as the crew chooses them."""
    same = made[:, 1:] == made[:, :-1]
    hashes = mixed(made)
    hashes[:, 1:][same] = NOTHING
    hashes[:, :-1][same] = NOTHING
    # Some of the smallest may be the same number at two places, so a few more are taken.
    taken = np.argpartition(hashes, INDEXED_TERMS * 2, axis=1)[:, : INDEXED_TERMS * 2]
    found = []
    for number, places in enumerate(taken, 0):
        row = hashes[number, places]
        _, once = np.unique(row, return_index=True)
        terms = made[number, places[once[:INDEXED_TERMS]]].view(np.int32).astype(np.int64)
        found.append((terms << 32) | (first + number))
    return np.concatenate(found)


def _without_crowds(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first tracks of each term, as if they had come one after the other."""
    terms = ordered >> 32
    fresh = np.concatenate([[True], terms[1:] != terms[:-1]])
    starts = np.maximum.accumulate(np.where(fresh, np.arange(len(terms)), 0))
    return ordered[np.arange(len(terms)) - starts < CROWDED]


def _rows(keys: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    for start in range(0, len(keys), 100_000):
        part = keys[start : start + 100_000]
        yield from zip((part >> 32).tolist(), (part & 0xFFFFFFFF).tolist(), strict=True)
