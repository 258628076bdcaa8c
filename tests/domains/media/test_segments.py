"""The files of a stream are whole before anybody sees them, and the playlist comes last."""

import asyncio
from pathlib import Path

import pytest

from backend.adapters.ffmpeg import FfmpegFailed
from backend.db.session import Database
from backend.domains.media.formats import StreamFormat
from backend.domains.media.plan import plan_streams
from backend.domains.media.segments import whole_playlist
from backend.domains.media.transcode import make_streams, transcode_version
from backend.domains.media.upload import Upload
from backend.errors import Unavailable
from backend.storage import Bucket, Storage, hls_key
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import broken_ffmpeg, ingested, quiet
from tests.domains.media.player import decoded, fetched, stream_of

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
    assert [info.key.path async for info in store.list(Bucket.PUBLIC, made.version_id)] == []


def never_ending(tmp_path: Path) -> str:
    """An ffmpeg that makes everything and then does not end."""
    return broken_ffmpeg(tmp_path, f'"{audio.ffmpeg_program()}" "$@"; touch {tmp_path}/through; sleep 60')


async def through(tmp_path: Path) -> None:
    for _ in range(1000):
        if (tmp_path / "through").exists():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("ffmpeg did not come to its end")


async def names_there(store: Storage, made: Upload, at_least: int = 0) -> list[str]:
    """The names of a stream's objects, once there are so many."""
    for _ in range(500):
        names = sorted(
            [
                info.key.path.rpartition("/")[2]
                async for info in store.list(Bucket.PUBLIC, f"{made.version_id}/hls_opus")
            ]
        )
        if len(names) >= at_least:
            return names
        await asyncio.sleep(0.02)
    raise AssertionError(f"only {names} are there")


async def test_finished_segments_are_there_before_the_stream_is(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 13.0))
    set_environment(monkeypatch, FFMPEG_PATH=never_ending(tmp_path))
    making = asyncio.create_task(transcode_version(made.version_id, OPUS))
    assert await names_there(store, made, 3) == [f"segment_{index:03d}.m4s" for index in range(3)]
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert await names_there(store, made) == []


async def test_what_plays_is_not_replaced_before_all_of_the_new_is_there(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 13.0))
    await transcode_version(made.version_id, OPUS)
    before = await fetched(store, made, tmp_path / "before")
    set_environment(monkeypatch, FFMPEG_PATH=never_ending(tmp_path), HLS_SEGMENT_S="2")
    making = asyncio.create_task(transcode_version(made.version_id, OPUS))
    await through(tmp_path)
    assert await names_there(store, made) == sorted([*before.files, "playlist.m3u8"])
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await fetched(store, made, tmp_path / "after")
    assert decoded(tmp_path / "after") == decoded(tmp_path / "before")


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
