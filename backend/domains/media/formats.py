"""The formats a version is streamed in: pure, from a name to ffmpeg's arguments."""

from collections.abc import Sequence
from enum import StrEnum

from backend.errors import InvalidInput
from backend.settings.media import MediaSettings

PLAYLIST = "playlist.m3u8"
INIT = "init.mp4"
SEGMENTS = "segment_%03d.m4s"


class StreamFormat(StrEnum):
    """What a player may ask for."""

    HLS_OPUS = "hls_opus"


def checked_formats(formats: Sequence[str]) -> list[StreamFormat]:
    """The formats in order, each once. Raises InvalidInput before anything is made."""
    unknown = [name for name in formats if name not in list(StreamFormat)]
    if unknown:
        known = ", ".join(StreamFormat)
        raise InvalidInput(f"no such format: {', '.join(map(repr, unknown))}; formats are {known}", field="formats")
    if not formats:
        raise InvalidInput("name at least one format", field="formats")
    return list(dict.fromkeys(map(StreamFormat, formats)))


def encoding(format: StreamFormat, settings: MediaSettings, channels: int) -> list[str]:
    """The arguments between input and playlist. Opus in HLS has 48 kHz; more than two channels become two."""
    match format:
        case StreamFormat.HLS_OPUS:
            codec = ["-c:a", "libopus", "-b:a", f"{settings.opus_bitrate_kbps}k", "-ar", "48000"]
    return [*_FIRST_SOUND_ONLY, *codec, *(["-ac", "2"] if channels > 2 else []), *hls(settings.hls_segment_s)]


# A cover picture counts as a video stream; it must not come into the stream.
_FIRST_SOUND_ONLY = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]


def hls(segment_s: int) -> list[str]:
    """A whole, closed playlist of fMP4 segments (RFC 8216): every segment listed, ENDLIST at its end."""
    return [
        *("-f", "hls", "-hls_time", str(segment_s), "-hls_list_size", "0", "-hls_playlist_type", "vod"),
        *("-hls_flags", "independent_segments", "-hls_segment_type", "fmp4"),
        *("-hls_fmp4_init_filename", INIT, "-hls_segment_filename", SEGMENTS),
        PLAYLIST,
    ]
