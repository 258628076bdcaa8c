"""A playlist says what it refers to, and how long that is."""

import pytest

from backend.domains.media.playlist import read_playlist, with_kept_promise

WHOLE = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.000000,
segment_000.m4s
#EXTINF:1.513333,
segment_001.m4s
#EXT-X-ENDLIST
"""


def test_a_whole_playlist_is_read() -> None:
    playlist = read_playlist(WHOLE)
    assert playlist.files == ["init.mp4", "segment_000.m4s", "segment_001.m4s"]
    assert playlist.duration_s == pytest.approx(7.513333)
    assert (playlist.target_s, playlist.ended) == (6, True)


@pytest.mark.parametrize("text", ["", "#EXTM3U\n", "nonsense"])
def test_what_is_no_playlist_holds_nothing(text: str) -> None:
    playlist = read_playlist(text)
    assert (playlist.segments, playlist.ended, playlist.init, playlist.target_s) == ((), False, None, 0)


def test_one_that_is_still_written_has_no_end() -> None:
    assert not read_playlist(WHOLE.replace("#EXT-X-ENDLIST\n", "")).ended


def test_s44_no_segment_is_longer_than_the_target() -> None:
    longer = WHOLE.replace("#EXTINF:6.000000", "#EXTINF:6.013968")
    assert with_kept_promise(longer) == longer.replace("TARGETDURATION:6", "TARGETDURATION:7")
    assert with_kept_promise(WHOLE) == WHOLE
    assert with_kept_promise("") == ""
