"""What ffmpeg's ebur128 filter says in its summary: read by section, so that no running value is taken for the result."""

import math
import re
from dataclasses import dataclass

from backend.errors import InvalidInput

ABSOLUTE_GATE = -70.0  # LUFS; what the filter reports when no block passed the gate
GATED = "gated: silence, or shorter than 400 ms"
NO_RANGE = "shorter than 3 s: no loudness range"
NO_PEAK = "digital silence: no true peak"


@dataclass(frozen=True)
class Loudness:
    """EBU R128 figures: `integrated` in LUFS, `range` in LU, `true_peak` in dBTP. `note` says why one is null."""

    integrated: float | None
    range: float | None
    true_peak: float | None
    note: str | None


def read_summary(said: str) -> Loudness:
    """The figures after the last `Summary:`. Raises InvalidInput when there is no summary or a part of it is missing."""
    _, found, summary = said.rpartition("Summary:")
    if not found:
        raise InvalidInput("ffmpeg gave no loudness summary", field="file")
    integrated = _figure(summary, "Integrated loudness", "I", "LUFS")
    span = _figure(summary, "Loudness range", "LRA", "LU")
    peak = _figure(summary, "True peak", "Peak", "dBFS")
    notes = []
    if integrated <= ABSOLUTE_GATE or not math.isfinite(integrated):
        notes.append(GATED)
    # Without a single block of 3 s the filter leaves the threshold of the range at 0, which no real one can be.
    elif not _figure(summary, "Loudness range", "Threshold", "LUFS"):
        notes.append(NO_RANGE)
    if not math.isfinite(peak):
        notes.append(NO_PEAK)
    return Loudness(
        integrated if GATED not in notes else None,
        span if not {GATED, NO_RANGE} & set(notes) else None,
        peak if NO_PEAK not in notes else None,
        "; ".join(notes) or None,
    )


def _figure(summary: str, section: str, name: str, unit: str) -> float:
    # A section ends where the next begins, or at an empty line.
    body = re.search(rf"^[ \t]*{section}:[ \t]*\n((?:[ \t]+\S.*\n?)*)", summary, re.MULTILINE)
    figure = re.search(rf"^[ \t]*{name}:[ \t]*(\S+)[ \t]*{unit}[ \t]*$", body[1], re.MULTILINE) if body else None
    if figure is None:
        raise InvalidInput(f"ffmpeg's loudness summary lacks {section.lower()}: {name}", field="file")
    try:
        return float(figure[1])
    except ValueError:
        raise InvalidInput(f"ffmpeg's loudness summary says {figure[1]!r} for {name}", field="file") from None
