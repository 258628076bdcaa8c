"""What is made beside the streams, on the same download: nobody waits for it, and its failure is its own."""

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds
from backend.domains.media.artwork import illustrate_file, schedule_artwork
from backend.domains.media.fingerprint import fingerprint_file, schedule_fingerprint
from backend.domains.media.loudness import measure_file, schedule_loudness
from backend.domains.media.versions import Original
from backend.domains.media.waveform import draw_file, schedule_waveform
from backend.runtime import Receipt

logger = logging.getLogger(__name__)


class Extra(StrEnum):
    """What may be made of a version while its streams are. Each has a task of its own too."""

    ARTWORK = "artwork"
    LOUDNESS = "loudness"
    WAVEFORM = "waveform"
    FINGERPRINT = "fingerprint"


_WORK: dict[Extra, Callable[[Original, Path, OnSeconds], Awaitable[object]]] = {
    Extra.ARTWORK: illustrate_file,
    Extra.LOUDNESS: measure_file,
    Extra.WAVEFORM: draw_file,
    Extra.FINGERPRINT: fingerprint_file,
}
_AGAIN: dict[Extra, Callable[[str], Awaitable[Receipt]]] = {
    Extra.ARTWORK: schedule_artwork,
    Extra.LOUDNESS: schedule_loudness,
    Extra.WAVEFORM: schedule_waveform,
    Extra.FINGERPRINT: schedule_fingerprint,
}


async def make_extra(what: Extra, original: Original, file: Path, on_seconds: OnSeconds) -> None:
    """Make one thing of the open original and store it. Its programs give way to those that make streams."""
    with ffmpeg.giving_way():
        await _WORK[what](original, file, on_seconds)


async def make_again(what: Extra, version_id: str, error: BaseException) -> str:
    """Hand what failed here to its own task, which tries again and keeps the error. Says so in a sentence."""
    receipt = await _AGAIN[what](version_id)
    logger.warning("%s of version %s failed beside its streams: %s", what, version_id, error)
    return f"failed, run {receipt.id} tries again: {error}"
