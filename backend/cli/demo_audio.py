"""A piece of music made of arithmetic: four chords, a bass, an arpeggio and a brush, so that the demo needs no file."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RATE = 44_100
BEAT_S = 60 / 96
BARS = 10
# Dm9 - G13 - Cmaj9 - Am9, as MIDI notes: the bass first.
CHORDS = ((38, 53, 57, 60, 64), (43, 53, 57, 59, 64), (36, 52, 55, 59, 62), (45, 55, 60, 64, 71))
ARPEGGIO = (0, 2, 1, 3, 2, 1, 3, 2)


def compose() -> bytes:
    """About 25 seconds of 16-bit stereo at 44.1 kHz, as a WAV file. The same bytes every time."""
    bar = 4 * BEAT_S
    length = int((BARS * bar + 2.5) * RATE)
    dry, wet = np.zeros((length, 2)), np.zeros((length, 2))
    for number in range(BARS):
        bass, *notes = CHORDS[number % len(CHORDS)]
        start = number * bar
        for index, note in enumerate(notes):
            _add(wet, start + 0.012 * index, _keys(note, bar * 1.15, 0.10), pan=0.3 + 0.13 * index)
        for beat, strength in ((0.0, 1.0), (1.5, 0.6), (2.0, 0.8)):
            _add(dry, start + beat * BEAT_S, _bass(bass, BEAT_S * 1.4, 0.22 * strength), pan=0.5)
        if number >= 2:
            for step, index in enumerate(ARPEGGIO):
                _add(wet, start + step * BEAT_S / 2, _bell(notes[index] + 12, 0.9, 0.055), pan=0.2 + 0.075 * step)
            for step in range(8):
                _add(dry, start + step * BEAT_S / 2, _brush(0.020 if step % 2 else 0.011, step), pan=0.62)
    mix = dry + wet + 0.45 * _room(wet)
    mix *= _fades(length)[:, None]
    return _wav(0.84 * mix / np.abs(mix).max())


def _pitch(note: int) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _time(seconds: float) -> Samples:
    return np.arange(int(seconds * RATE)) / RATE


def _keys(note: int, seconds: float, level: float) -> Samples:
    # Two operators of frequency modulation: the sound of an electric piano.
    t, f = _time(seconds), _pitch(note)
    bite = 1.1 * np.exp(-t * 5) * np.sin(2 * np.pi * f * t)
    body = np.sin(2 * np.pi * f * t + bite) + 0.25 * np.sin(2 * np.pi * 2.003 * f * t) * np.exp(-t * 3)
    return _edged(level * body * np.exp(-t * 0.9) * (1 + 0.12 * np.sin(2 * np.pi * 4.6 * t)))


def _bass(note: int, seconds: float, level: float) -> Samples:
    t, f = _time(seconds), _pitch(note)
    return _edged(level * np.tanh(1.6 * np.sin(2 * np.pi * f * t)) * np.exp(-t * 2.2))


def _bell(note: int, seconds: float, level: float) -> Samples:
    t, f = _time(seconds), _pitch(note)
    return _edged(
        level * np.sin(2 * np.pi * f * t + 0.8 * np.exp(-t * 9) * np.sin(2 * np.pi * 3.5 * f * t)) * np.exp(-t * 5)
    )


def _brush(level: float, seed: int) -> Samples:
    t = _time(0.12)
    noise = np.random.default_rng(seed).standard_normal(t.size)
    return _edged(level * np.diff(noise, prepend=0.0) * np.exp(-t * 45))


def _edged(samples: Samples) -> Samples:
    # Without a few milliseconds of edge every note would click.
    edge = np.linspace(0, 1, int(0.006 * RATE))
    samples[: edge.size] *= edge
    samples[-edge.size :] *= edge[::-1]
    return samples


def _add(track: Samples, start: float, samples: Samples, pan: float) -> None:
    at = int(start * RATE)
    fitting = samples[: len(track) - at]
    track[at : at + fitting.size, 0] += fitting * np.cos(pan * np.pi / 2)
    track[at : at + fitting.size, 1] += fitting * np.sin(pan * np.pi / 2)


def _room(samples: Samples) -> Samples:
    # A room is noise that dies away: one and a half seconds of it, different on each side.
    t = _time(1.5)
    echo = np.random.default_rng(7).standard_normal((t.size, 2)) * np.exp(-t * 4.5)[:, None]
    echo[: int(0.018 * RATE)] = 0
    size = 1 << (len(samples) + t.size).bit_length()
    spectrum = np.fft.rfft(samples, size, axis=0) * np.fft.rfft(echo, size, axis=0)
    room = np.fft.irfft(spectrum, size, axis=0)[: len(samples)]
    return room * (np.abs(samples).max() / np.abs(room).max())


def _fades(length: int) -> Samples:
    gain = np.ones(length)
    out = int(3.5 * RATE)
    gain[-out:] = np.cos(np.linspace(0, np.pi / 2, out)) ** 2
    return gain


def _wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(2)
        output.setsampwidth(2)
        output.setframerate(RATE)
        output.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()
