"""Something like music for the tests: chords on a beat, all of it decided by a seed."""

from pathlib import Path

import numpy as np

from tests import audio

RATE = 22050


def play(file: Path, *, seed: int, seconds: float = 12.0, lead_s: float = 0.0, skip_s: float = 0.0) -> Path:
    """The piece of this seed, after `lead_s` of silence or without its first `skip_s`, in the suffix's format."""
    sound = _compose(seed, seconds)[round(skip_s * RATE) :]
    sound = np.concatenate([np.zeros(round(lead_s * RATE)), sound])
    raw = file.with_suffix(".raw")
    raw.write_bytes((sound * 32767).astype("<i2").tobytes())
    audio.ffmpeg("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", raw, *audio.CODECS[file.suffix], file)
    raw.unlink()
    return file


def _compose(seed: int, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    dice = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE))
    beat = 0.35 + 0.3 * dice.random()
    for start in np.arange(0, seconds, beat):
        first = int(start * RATE)
        moments = np.arange(min(len(sound) - first, int(RATE * beat * 1.5))) / RATE
        for _ in range(3):
            pitch = 110 * 2 ** (dice.integers(0, 36) / 12)
            for overtone in range(1, 6):
                wave = np.exp(-3 * moments) * np.sin(2 * np.pi * pitch * overtone * moments) / overtone
                sound[first : first + len(moments)] += wave
    return sound / np.abs(sound).max() * 0.6
