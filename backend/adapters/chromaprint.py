"""Chromaprint: what a sound is like, as the numbers that AcoustID and its program fpcalc know, made by ffmpeg."""

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.adapters import ffmpeg
from backend.adapters.ffmpeg import OnSeconds

ALGORITHM = 1  # CHROMAPRINT_ALGORITHM_TEST2: the default, and the one AcoustID takes
LONGEST_S = 120  # what fpcalc looks at
FRAME_S = 4096 / 3 / 11025  # between two numbers

Fingerprint = NDArray[np.uint32]


async def fingerprint(file: Path, on_seconds: OnSeconds | None = None) -> Fingerprint:
    """The raw fingerprint of a file's first 120 seconds: one number of 32 bits for every 0.124 s, equal to `fpcalc -raw`.

    Empty for less than 2.7 s. It is written beside the file. Raises InvalidInput when the file cannot be decoded,
    FfmpegFailed.
    """
    raw = file.with_name("fingerprint.raw")
    # Neither rate nor channels are given: Chromaprint's own resampling is what makes equal numbers.
    picked = ["-map", "0:a:0", "-vn", "-t", str(LONGEST_S), "-algorithm", str(ALGORITHM)]
    arguments = [*ffmpeg.source(file), *picked, "-fp_format", "raw", "-f", "chromaprint", raw.name]
    await ffmpeg.run(arguments, cwd=file.parent, on_seconds=on_seconds)
    return np.frombuffer(await asyncio.to_thread(raw.read_bytes), dtype="<u4").astype(np.uint32)
