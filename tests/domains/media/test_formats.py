"""Formats are checked before anything is made, and become arguments without a shell."""

import pytest

from backend.domains.media.formats import CODECS, LONGEST_FIRST, StreamFormat, checked_formats, encoding, refusal
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
    arguments = encoding(StreamFormat.HLS_OPUS, MediaSettings(), 44100, channels=2)
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
    words = " ".join(encoding(StreamFormat.HLS_OPUS, MediaSettings(opus_bitrate_kbps=96, hls_segment_s=4), 44100, 6))
    assert "-b:a 96k" in words
    assert "-hls_time 4" in words
    assert "-ac 2" in words


def test_every_format_has_a_codec_string_and_a_place_in_the_order() -> None:
    assert set(CODECS) == set(LONGEST_FIRST) == set(StreamFormat)


def test_aac_and_alac_have_their_arguments() -> None:
    aac = " ".join(encoding(StreamFormat.HLS_AAC, MediaSettings(), 96000, 8))
    assert "-map 0:a:0 -vn" in aac
    assert "-c:a aac -b:a 256k -ar 48000 -ac 2" in aac
    alac = " ".join(encoding(StreamFormat.HLS_ALAC, MediaSettings(), 96000, 8))
    assert "-map 0:a:0 -vn" in alac
    assert "-c:a alac" in alac
    assert " -ar " not in alac  # resampled or mixed it would not be lossless
    assert " -ac " not in alac


@pytest.mark.parametrize("lossless", [True, False, None])
@pytest.mark.parametrize("did", ["did:plc:a", "did:plc:b", None])
def test_s45_lossless_needs_a_lossless_original_and_a_listed_artist(lossless: bool | None, did: str | None) -> None:
    settings = MediaSettings.model_validate({"alac_artists": "did:plc:a, did:web:c.example"})
    for format in StreamFormat:
        for channels in (1, 2, 6, None):
            reason = refusal(format, lossless=lossless, channels=channels, artist_did=did, settings=settings)
            allowed = lossless is True and did == "did:plc:a" and channels in (1, 2)
            assert (reason is None) == (allowed or format is not StreamFormat.HLS_ALAC)


def test_a_list_of_artists_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'anna' is none"):
        MediaSettings.model_validate({"alac_artists": "did:plc:a, anna"})
