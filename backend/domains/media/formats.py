"""The formats a version is streamed in: pure, from a name to ffmpeg's arguments."""

from collections.abc import Sequence
from enum import StrEnum

from backend.errors import InvalidInput
from backend.settings.media import MediaSettings

MASTER = "master.m3u8"
PLAYLIST = "playlist.m3u8"
INIT = "init.mp4"
SEGMENT = "segment_%03d.m4s"


class StreamFormat(StrEnum):
    """What a player may ask for, the one to try first at the top."""

    HLS_OPUS = "hls_opus"
    HLS_AAC = "hls_aac"  # for players without Opus
    HLS_ALAC = "hls_alac"  # lossless


CODECS = {StreamFormat.HLS_OPUS: "opus", StreamFormat.HLS_AAC: "mp4a.40.2", StreamFormat.HLS_ALAC: "alac"}  # RFC 6381
# What takes longest begins first, so that nothing long is left when a lane has no more to do.
LONGEST_FIRST = (StreamFormat.HLS_AAC, StreamFormat.HLS_OPUS, StreamFormat.HLS_ALAC)


def checked_formats(formats: Sequence[str]) -> list[StreamFormat]:
    """The formats in order, each once. Raises InvalidInput before anything is made."""
    unknown = [name for name in formats if name not in list(StreamFormat)]
    if unknown:
        known = ", ".join(StreamFormat)
        raise InvalidInput(f"no such format: {', '.join(map(repr, unknown))}; formats are {known}", field="formats")
    if not formats:
        raise InvalidInput("name at least one format", field="formats")
    return list(dict.fromkeys(map(StreamFormat, formats)))


def refusal(
    format: StreamFormat,
    *,
    lossless: bool | None,
    channels: int | None,
    artist_did: str | None,
    settings: MediaSettings,
) -> str | None:
    """Why a version may not be streamed in this format, or None when it may."""
    if format is not StreamFormat.HLS_ALAC:
        return None
    if not lossless:
        return "the original is lossy: a lossless stream of it would promise what is not there"
    if channels is None or channels > 2:
        return "the original has more than two channels: the encoder would mix some layouts anew"
    if artist_did is None or artist_did not in settings.alac_artists:
        return f"{artist_did or 'a track without an account'} is not in ALAC_ARTISTS"
    return None


def encoding(format: StreamFormat, settings: MediaSettings, rate: int, channels: int) -> list[str]:
    """The arguments between input and playlist. `rate` is the original's in Hz, `channels` its number."""
    match format:
        case StreamFormat.HLS_OPUS:
            codec = ["-c:a", "libopus", "-b:a", f"{settings.opus_bitrate_kbps}k", "-ar", "48000", *_stereo(channels)]
        case StreamFormat.HLS_AAC:
            codec = ["-c:a", "aac", "-b:a", f"{settings.aac_bitrate_kbps}k", *_common_rate(rate), *_stereo(channels)]
        case StreamFormat.HLS_ALAC:
            codec = ["-c:a", "alac"]
    return [*_FIRST_SOUND_ONLY, *codec, *hls(settings.hls_segment_s)]


# A cover picture counts as a video stream; it must not come into the stream.
_FIRST_SOUND_ONLY = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]


def _stereo(channels: int) -> list[str]:
    return ["-ac", "2"] if channels > 2 else []


def _common_rate(rate: int) -> list[str]:
    # Players do not decode AAC of studio rates; half or a quarter of one is resampled best.
    if rate <= 48000:
        return []
    return ["-ar", "44100" if rate % 44100 == 0 else "48000"]


def hls(segment_s: int) -> list[str]:
    """A whole, closed playlist of fMP4 segments (RFC 8216): every segment listed, ENDLIST at its end.

    A segment has its name as soon as it is finished, and not before.
    """
    return [
        *("-f", "hls", "-hls_time", str(segment_s), "-hls_list_size", "0", "-hls_playlist_type", "vod"),
        *("-hls_flags", "independent_segments+temp_file", "-hls_segment_type", "fmp4"),
        *("-hls_fmp4_init_filename", INIT, "-hls_segment_filename", SEGMENT),
        PLAYLIST,
    ]
