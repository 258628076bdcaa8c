"""The piece that the demo composes."""

import io
import wave

import numpy as np

from backend.cli.demo_audio import RATE, compose


def test_is_stereo_music_of_half_a_minute() -> None:
    with wave.open(io.BytesIO(compose())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        seconds = file.getnframes() / RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768
    assert 20 < seconds < 30
    assert 0.8 < np.abs(samples).max() < 0.9  # loud, and nowhere clipped
    assert np.abs(samples[:, 0] - samples[:, 1]).max() > 0.05  # the sides differ
    assert np.abs(samples[-RATE // 100 :]).max() < 0.01  # it ends quietly
    assert np.abs(samples.mean(axis=0)).max() < 0.01  # no offset


def test_is_made_of_many_notes() -> None:
    with wave.open(io.BytesIO(compose())) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 0] / 32768
    bar = samples[int(7.5 * RATE) : int(9.5 * RATE)]
    spectrum = np.abs(np.fft.rfft(bar * np.hanning(bar.size)))
    frequencies = np.fft.rfftfreq(bar.size, 1 / RATE)
    strong = {round(float(f)) for f in frequencies[spectrum > spectrum.max() / 30] if f > 50}
    assert len(strong) > 8


def test_is_the_same_every_time() -> None:
    assert compose() == compose()
