"""How long a file says it is, in its own header: what a file that was cut short can no longer keep."""

from pathlib import Path

from backend.adapters.sniff import AAC, AIFF, HEAD, M4A, MP3, OGG, OPUS, WAV, AudioType, id3_size

PIPED_SIZE = 0x7FFFF000  # from here on, or 0: what a WAV says that was written into a pipe
SIZE_SLACK = 8  # writers disagree on whether the first eight bytes and the pad byte count
LOSSY_TOLERANCE_S = 0.25  # encoder delay, padding, and a frame that does not decode
EXACT_TOLERANCE_S = 0.001


def broken_promise(file: Path, kind: AudioType, declared_s: float | None, measured_s: float, rate: int) -> str | None:
    """Why the file must be cut short or damaged, or None when it keeps what it promises.

    `declared_s` is the container's duration as libavformat reports it, `measured_s` what could be decoded. A stream
    without any length of its own (ADTS, an MP3 without a Xing header) promises nothing.
    """
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    if kind in (WAV, AIFF) and (missing := _missing_bytes(head, kind, file.stat().st_size)):
        return f"its header promises {missing:,} bytes more than there are"
    if kind in (OGG, OPUS) and _ends_in_a_page(file):
        return "its last page is incomplete"
    if kind is MP3:
        declared_s = _xing_seconds(file, rate)
    if kind in (WAV, AAC) or declared_s is None:
        return None
    tolerance = LOSSY_TOLERANCE_S if kind in (MP3, M4A, OGG, OPUS) else EXACT_TOLERANCE_S
    if declared_s - measured_s > tolerance:
        return f"its header promises {declared_s:.3f} s, and {measured_s:.3f} s can be decoded"
    return None


def _missing_bytes(head: bytes, kind: AudioType, size: int) -> int:
    # libavformat silently believes the file's size instead, so a cut WAV looks like a shorter one.
    promised = int.from_bytes(head[4:8], "little" if kind is WAV else "big")
    if kind is WAV and head[:4] in (b"RF64", b"BW64") and head[12:16] == b"ds64":
        promised = int.from_bytes(head[20:28], "little")
    elif promised >= PIPED_SIZE:
        promised = 0
    missing = promised + 8 - size
    return missing if promised and missing > SIZE_SLACK else 0


def _xing_seconds(file: Path, rate: int) -> float | None:
    with file.open("rb") as opened:
        opened.seek(id3_size(opened.read(10)))
        frame = opened.read(512)
    for magic in (b"Xing", b"Info"):
        at = frame.find(magic)
        if at >= 0 and frame[at + 7] & 1:
            frames = int.from_bytes(frame[at + 8 : at + 12], "big")
            return frames * (1152 if rate >= 32000 else 576) / rate
    return None


def _ends_in_a_page(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 2 * HEAD))
        tail = opened.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return False
    table = tail[at + 27 : at + 27 + tail[at + 26]] if len(tail) > at + 26 else b""
    return len(tail) < at + 27 or len(tail) < at + 27 + tail[at + 26] + sum(table)
