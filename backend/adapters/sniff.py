"""What kind of sound a file holds, told from its first bytes and never from its name."""

from dataclasses import dataclass

HEAD = 64 * 1024  # bytes that `sniff` wants to see, if there are as many


@dataclass(frozen=True)
class AudioType:
    """One kind of file: its media type, its suffix, and how ffmpeg calls its container."""

    mime: str
    suffix: str
    demuxer: str


WAV = AudioType("audio/wav", ".wav", "wav")
FLAC = AudioType("audio/flac", ".flac", "flac")
MP3 = AudioType("audio/mpeg", ".mp3", "mp3")
AAC = AudioType("audio/aac", ".aac", "aac")
M4A = AudioType("audio/mp4", ".m4a", "mov")
OGG = AudioType("audio/ogg", ".ogg", "ogg")
OPUS = AudioType("audio/ogg", ".opus", "ogg")
AIFF = AudioType("audio/aiff", ".aiff", "aiff")
CAF = AudioType("audio/x-caf", ".caf", "caf")
WAVPACK = AudioType("audio/x-wavpack", ".wv", "wv")

TYPES = (WAV, FLAC, MP3, AAC, M4A, OGG, OPUS, AIFF, CAF, WAVPACK)
ACCEPTED = "WAV, FLAC, MP3, AAC, M4A, Ogg, Opus, AIFF, CAF or WavPack"
DEMUXERS = ",".join(dict.fromkeys(kind.demuxer for kind in TYPES))


def sniff(head: bytes) -> AudioType | None:
    """The kind of sound that begins with `head`, or None when it is no sound we take."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[4:8] == b"ftyp":
        return M4A
    if head[:4] == b"OggS":
        return _in_ogg(head)
    for magic, kind in ((b"fLaC", FLAC), (b"caff", CAF), (b"wvpk", WAVPACK)):
        if head.startswith(magic):
            return kind
    if head[:3] == b"ID3":
        return _after_tag(head)
    return _frame(head)


def _in_ogg(head: bytes) -> AudioType | None:
    packet = head[27 + head[26] :] if len(head) > 26 else b""
    if packet.startswith(b"OpusHead"):
        return OPUS
    return OGG if packet.startswith((b"\x01vorbis", b"\x7fFLAC", b"Speex ")) else None


def _after_tag(head: bytes) -> AudioType:
    # An ID3v2 tag may hold a picture larger than the head. Nearly always an MP3 follows.
    rest = head[id3_size(head) :]
    return FLAC if rest.startswith(b"fLaC") else _frame(rest) or MP3


def id3_size(head: bytes) -> int:
    """Bytes that an ID3v2 tag at the start takes, 0 without one (id3.org, ID3v2.4.0 section 3.1)."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _frame(head: bytes) -> AudioType | None:
    # Eleven set bits begin an MPEG audio frame; the layer bits tell MP3 (01) from ADTS, which has 00 there.
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = (head[1] >> 3) & 0b11, (head[1] >> 1) & 0b11
    if layer == 0b00:
        return AAC if head[1] & 0xF0 == 0xF0 and (head[2] >> 2) & 0b1111 < 13 else None
    bitrate, rate = head[2] >> 4, (head[2] >> 2) & 0b11
    return MP3 if version != 0b01 and layer == 0b01 and bitrate != 0b1111 and rate != 0b11 else None
