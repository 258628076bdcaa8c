"""What is measured beside the streams, on the same download: nobody waits for it, and its failure is its own."""

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from backend.adapters.ffmpeg import OnSeconds
from backend.domains.media.loudness import measure_file, schedule_loudness
from backend.domains.media.versions import Original
from backend.domains.media.waveform import draw_file, schedule_waveform
from backend.runtime import Receipt

logger = logging.getLogger(__name__)


class Measure(StrEnum):
    """What may be measured on a version while its streams are made. Each has a task of its own too."""

    LOUDNESS = "loudness"
    WAVEFORM = "waveform"


_WORK: dict[Measure, Callable[[Original, Path, OnSeconds], Awaitable[object]]] = {
    Measure.LOUDNESS: measure_file,
    Measure.WAVEFORM: draw_file,
}
_AGAIN: dict[Measure, Callable[[str], Awaitable[Receipt]]] = {
    Measure.LOUDNESS: schedule_loudness,
    Measure.WAVEFORM: schedule_waveform,
}


async def measure(what: Measure, original: Original, file: Path, on_seconds: OnSeconds) -> None:
    """Measure one thing on the open original and store it."""
    await _WORK[what](original, file, on_seconds)


async def measure_again(what: Measure, version_id: str, error: BaseException) -> str:
    """Hand what failed here to its own task, which tries again and keeps the error. Says so in a sentence."""
    receipt = await _AGAIN[what](version_id)
    logger.warning("%s of version %s failed beside its streams: %s", what, version_id, error)
    return f"failed, run {receipt.id} tries again: {error}"
