"""What is really in a sound file: opened and decoded from end to end by PyAV, in a thread."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av import AudioFrame, Packet
from av.container import InputContainer
from av.error import FFmpegError

from backend.adapters.promise import broken_promise
from backend.adapters.sniff import ACCEPTED, CAF, DEMUXERS, HEAD, M4A, AudioType, sniff
from backend.errors import InvalidInput, UnsupportedMedia

LONGEST_S = 24 * 3600.0
_LOSSLESS = {"flac", "alac", "wavpack"}
_LOSSY_PCM = {"pcm_alaw", "pcm_mulaw"}


@dataclass(frozen=True)
class Sound:
    """What a file holds. `duration_s` is what can be decoded, in seconds; `sample_rate` is in Hz."""

    mime: str
    codec: str
    duration_s: float
    sample_rate: int
    channels: int
    lossless: bool


async def probe(file: Path) -> Sound:
    """Look into a file. Its name does not count.

    Raises UnsupportedMedia when it is not sound, InvalidInput when it is empty, cut short, damaged or endless.
    """
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_probe, file, stop)
    finally:
        stop.set()  # cancelled: the thread ends at its next packet


def open_sound(file: Path) -> InputContainer:
    """Open a local file in an audio format, and nothing that it may refer to. Raises FFmpegError."""
    options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
    return av.open(f"file:{file.absolute()}", container_options=options, metadata_errors="replace")


def _probe(file: Path, stop: threading.Event) -> Sound:
    with file.open("rb") as opened:
        kind = sniff(head := opened.read(HEAD))
    if not head:
        raise InvalidInput("the file is empty", field="file")
    if kind is None:
        raise UnsupportedMedia(f"this is not sound that can be used: send {ACCEPTED}", field="file")
    try:
        with open_sound(file) as container:
            return _measure(file, kind, container, stop)
    except FFmpegError as error:
        raise InvalidInput(
            f"the file is cut short or damaged: it begins like {kind.mime} and cannot be opened ({error.strerror})",
            field="file",
        ) from error


def _measure(file: Path, kind: AudioType, container: InputContainer, stop: threading.Event) -> Sound:
    if not container.streams.audio:
        raise UnsupportedMedia("there is no sound in this file", field="file")
    stream = container.streams.audio[0]
    codec = stream.codec_context
    if codec is None or not codec.sample_rate or not codec.channels:
        raise UnsupportedMedia("the sound in this file is of no known kind", field="file")
    declared = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if kind is CAF and codec.name.startswith("pcm_"):
        declared = stream.frames / codec.sample_rate  # libavformat takes the duration from the file's size
    measured, rate = _decode(container.demux(stream), stop, codec.sample_rate)
    if reason := broken_promise(file, kind, declared, measured, rate):
        raise InvalidInput(f"the file is cut short or damaged: {reason}", field="file")
    if not measured:
        raise InvalidInput("the file holds no sound: nothing in it can be decoded", field="file")
    if kind is M4A and declared:
        measured = min(measured, declared)  # its edit list leaves out what the encoder put in front and behind
    name = codec.codec.canonical_name
    lossless = name in _LOSSLESS or (name.startswith("pcm_") and name not in _LOSSY_PCM)
    return Sound(kind.mime, name, round(measured, 6), rate, codec.channels, lossless)


def _decode(packets: Iterator[Packet], stop: threading.Event, rate: int) -> tuple[float, int]:
    """The seconds that can be decoded, and the rate that comes out, which need not be the header's."""
    seconds = 0.0
    for packet in packets:
        if stop.is_set():
            raise InvalidInput("nobody waits for this file any more", field="file")
        try:
            frames = packet.decode()
        except FFmpegError:
            continue  # a bad packet is counted by what it does not give
        for frame in frames:
            assert isinstance(frame, AudioFrame)
            rate = frame.sample_rate
            seconds += frame.samples / rate
        if seconds > LONGEST_S:
            raise InvalidInput(f"the sound is longer than {LONGEST_S / 3600:.0f} hours", field="file")
    return seconds, rate
