"""The files of a stream are whole before anybody sees them, and the playlist comes last."""

from pathlib import Path

import pytest

from backend.adapters.ffmpeg import FfmpegFailed
from backend.db.session import Database
from backend.domains.media.formats import StreamFormat
from backend.domains.media.segments import whole_playlist
from backend.domains.media.transcode import make_streams, plan_streams
from backend.errors import Unavailable
from backend.storage import Storage, hls_key
from tests import audio
from tests.domains.media.conftest import ingested, quiet
from tests.domains.media.player import stream_of

OPUS = [StreamFormat.HLS_OPUS]


async def test_the_playlist_comes_last(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A directory where the last segment should go: its upload fails, and no playlist may name it.
    made = await ingested(audio.tone(tmp_path / "a.wav", 13.0))
    blocked = hls_key(made.version_id, "hls_opus", "segment_002.m4s")
    (tmp_path / "data" / "objects" / "public" / blocked.path / "in-the-way").mkdir(parents=True)
    with pytest.raises(Unavailable, match="segment_002"):
        await make_streams(await plan_streams(made.version_id, OPUS), quiet)
    assert not await store.exists(hls_key(made.version_id, "hls_opus", "playlist.m3u8"))
    assert (await stream_of(sqlite_database, made)).status == "failed"


def test_a_stream_that_ffmpeg_did_not_finish_is_no_stream(tmp_path: Path) -> None:
    with pytest.raises(FfmpegFailed, match="unfinished"):
        whole_playlist(tmp_path, 6.0)
    whole = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.0,\nsegment_000.m4s\n#EXT-X-ENDLIST\n'
    (tmp_path / "playlist.m3u8").write_text(whole)
    box = b"\0\0\0\x08free"
    (tmp_path / "init.mp4").write_bytes(box)
    with pytest.raises(FfmpegFailed, match=r"without segment_000\.m4s"):
        whole_playlist(tmp_path, 6.0)
    (tmp_path / "segment_000.m4s").write_bytes(box[:7])  # as a full disk leaves it
    with pytest.raises(FfmpegFailed, match=r"without segment_000\.m4s"):
        whole_playlist(tmp_path, 6.0)
    (tmp_path / "segment_000.m4s").write_bytes(box)
    assert whole_playlist(tmp_path, 6.2).duration_s == 6.0
    with pytest.raises(FfmpegFailed, match=r"6\.00 s of stream from 9\.00 s"):
        whole_playlist(tmp_path, 9.0)
