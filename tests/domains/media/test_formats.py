"""Formats are checked before anything is made, and become arguments without a shell."""

import pytest

from backend.domains.media.formats import StreamFormat, checked_formats, encoding
from backend.errors import InvalidInput
from backend.settings.media import MediaSettings


def test_s14_unknown_formats_are_refused_together() -> None:
    with pytest.raises(InvalidInput, match=r"'hls_mp3', 'flac'; formats are hls_opus") as refused:
        checked_formats(["hls_opus", "hls_mp3", "flac"])
    assert refused.value.field == "formats"


def test_s14_no_format_is_no_work() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        checked_formats([])


def test_each_format_is_made_once() -> None:
    assert checked_formats(["hls_opus", "hls_opus"]) == [StreamFormat.HLS_OPUS]


def test_s05_s06_the_arguments_say_all_that_the_default_gets_wrong() -> None:
    arguments = encoding(StreamFormat.HLS_OPUS, MediaSettings(), channels=2)
    words = " ".join(arguments)
    for needed in (
        "-map 0:a:0 -vn",
        "-c:a libopus -b:a 160k",
        "-hls_time 6",
        "-hls_list_size 0",
        "-hls_playlist_type vod",
    ):
        assert needed in words
    assert "-hls_segment_type fmp4" in words
    assert arguments[-1] == "playlist.m3u8"
    assert "-ac" not in arguments


def test_settings_reach_the_encoder() -> None:
    words = " ".join(encoding(StreamFormat.HLS_OPUS, MediaSettings(opus_bitrate_kbps=96, hls_segment_s=4), channels=6))
    assert "-b:a 96k" in words
    assert "-hls_time 4" in words
    assert "-ac 2" in words
