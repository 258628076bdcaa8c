"""How long it takes to look a sound up among many stored tracks, and with how many of them it is compared.

`uv run python -m benchmarks.fingerprints [--tracks N] [--lookups N] [--write-docs]`
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backend.adapters.chromaprint import fingerprint
from backend.db.migrate import prepare
from backend.db.session import open_database
from backend.domains.media.duplicates import find_candidates, find_match
from backend.domains.media.likeness import Fingerprint, compare, is_same
from backend.settings import SECTIONS, get_settings
from benchmarks.measures import Spread
from benchmarks.page import write_section
from benchmarks.sound_library import Library, agreements, fill
from tests import music

PIECES, PIECE_S = 8, 125.0
SHIFT = 8  # numbers, a second


@dataclass
class Lookups:
    """Many look-ups of one kind."""

    kind: str
    compared: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    matched: int = 0  # that gave a track
    right: int = 0  # that gave the one it was made from

    def line(self) -> str:
        """As a row of a table."""
        spread, ordered = Spread.of(self.milliseconds), sorted(self.compared)
        cells = [self.kind, len(ordered), ordered[len(ordered) // 2], ordered[-1], spread.p50, spread.p99, spread.max]
        return "| " + " | ".join(map(str, [*cells, self.matched, self.right])) + " |"


async def compose(directory: Path, count: int, first_seed: int = 0) -> list[Fingerprint]:
    """The fingerprints of so many different pieces, made as the crew makes them."""
    made = []
    for seed in range(first_seed, first_seed + count):
        file = await asyncio.to_thread(music.play, directory / f"{seed}.wav", seed=seed, seconds=PIECE_S)
        made.append(await fingerprint(file))
        file.unlink()
    return made


async def look_up(kind: str, sounds: Sequence[tuple[Fingerprint, str | None]]) -> Lookups:
    """Look these sounds up as an upload does. Each comes with the id of the track it was made from, if with any."""
    done = Lookups(kind)
    for numbers, track_id in sounds:
        start = time.perf_counter()
        match = await find_match(numbers, "new", "did:plc:new")
        done.milliseconds.append((time.perf_counter() - start) * 1000)
        done.compared.append(len(await find_candidates(numbers, "new", "did:plc:new")))
        done.matched += match is not None
        done.right += match is not None and match.track_id == track_id
    return done


def copied(numbers: Fingerprint, error: float, dice: np.random.Generator) -> Fingerprint:
    """The same sound as it comes back: a second later, and with this share of its bits turned."""
    bits = np.unpackbits(numbers.view(np.uint8))
    turned = np.packbits(bits ^ (dice.random(len(bits)) < error)).view(np.uint32)
    lead = dice.integers(0, 2**32, SHIFT, dtype=np.uint32)
    return np.concatenate([lead, turned[:-SHIFT]])


async def measure(directory: Path, tracks: int, lookups: int) -> list[str]:
    """Fill a library, look sounds up in it, and say what came of it."""
    for name in [name for section in SECTIONS for name in section.model_fields]:
        os.environ.pop(name.upper(), None)
    os.environ["DATA_DIR"] = str(directory)
    get_settings.cache_clear()
    pieces = await compose(directory, PIECES)
    library = Library(pieces)
    async with open_database(get_settings().database) as database:
        await prepare(database)
    began = time.monotonic()
    await asyncio.to_thread(fill, directory / "backline.db", library, tracks)
    filled = time.monotonic() - began
    dice = np.random.default_rng(1)
    stored = [int(number) for number in dice.choice(tracks, lookups)]
    async with open_database(get_settings().database):
        kinds = [
            await look_up("new", [(library.track(tracks + number), None) for number in range(lookups)]),
            await look_up("new, composed", [(each, None) for each in await compose(directory, PIECES, PIECES)]),
        ]
        for error in (0.0, 0.014, 0.04, 0.07):
            sounds = [(copied(library.track(each), error, dice), library.track_id(each)) for each in stored]
            kinds.append(await look_up(f"stored, {error:.1%} of the bits wrong", sounds))
    size = (directory / "backline.db").stat().st_size
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        f"- {tracks:,} tracks stored in {filled:.0f} s, {size / 1e9:.1f} GB",
        f"- pairs of numbers that agree: 1 in {agreements(pieces):,.0f} between composed pieces, "
        f"1 in {agreements([library.track(each) for each in range(PIECES)]):,.0f} between generated tracks",
        f"- comparing with one candidate: {_comparing_ms(pieces):.2f} ms",
        "",
        "| sound | lookups | compared, median | compared, most | p50 ms | p99 ms | most ms | matches | right |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(kind.line() for kind in kinds),
    ]


def _comparing_ms(pieces: Sequence[Fingerprint]) -> float:
    start = time.perf_counter()
    same = [is_same(compare(pieces[0], each)) for each in pieces]
    assert sum(same) == 1
    return (time.perf_counter() - start) * 1000 / len(pieces)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fingerprints", description=__doc__)
    parser.add_argument("--tracks", type=int, default=1_000_000, help="stored tracks (default 1,000,000)")
    parser.add_argument("--lookups", type=int, default=200, help="look-ups of each kind (default 200)")
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-fingerprints-") as directory:
        text = "\n".join(asyncio.run(measure(Path(directory), options.tracks, options.lookups)))
    print(text)
    if options.write_docs:
        write_section("fingerprints", text)


if __name__ == "__main__":
    main()
