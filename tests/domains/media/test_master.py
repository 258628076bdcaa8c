"""The master playlist leads a player to every stream that plays, and to no other."""

import re
from pathlib import Path

import pytest

from backend.db.session import Database
from backend.domains.media.formats import StreamFormat
from backend.domains.media.master import Variant, bit_rates, master_playlist
from backend.domains.media.playlist import Playlist
from backend.domains.media.transcode import transcode_version
from backend.storage import Storage, master_key
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import broken_ffmpeg, ingested
from tests.domains.media.player import fetched


def test_a_master_playlist_says_codec_and_bit_rates_in_the_given_order() -> None:
    variants = [Variant("a/playlist.m3u8", "opus", 161_000, 150_000), Variant("b/playlist.m3u8", "alac", 9, 8)]
    assert master_playlist(variants).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-STREAM-INF:BANDWIDTH=161000,AVERAGE-BANDWIDTH=150000,CODECS="opus"',
        "a/playlist.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=8,CODECS="alac"',
        "b/playlist.m3u8",
    ]


@pytest.mark.parametrize(
    ("segments", "peak", "average"),
    [
        ([(6.0, 6000), (6.0, 12000), (6.0, 6000)], 16000, 10667),
        ([(6.0, 6000), (0.5, 5000)], 13539, 13539),  # a short rest counts only together with its neighbour
        ([(6.0, 6000), (3.0, 6000)], 16000, 10667),  # half a target duration is long enough
        ([(1.0, 1000)], 8000, 8000),  # shorter than any stretch that counts: all of it
    ],
)
def test_bandwidth_is_the_peak_of_any_stretch(segments: list[tuple[float, int]], peak: int, average: int) -> None:
    names = [f"segment_{index:03d}.m4s" for index in range(len(segments))]
    durations = tuple((name, seconds) for name, (seconds, _) in zip(names, segments, strict=True))
    sizes = {name: size for name, (_, size) in zip(names, segments, strict=True)}
    assert bit_rates(Playlist(6, "init.mp4", durations, True), sizes) == (peak, average)


def variants_of(text: str) -> dict[str, dict[str, str]]:
    """Each variant's attributes by its address."""
    found = re.findall(r"^#EXT-X-STREAM-INF:(.*)\n(.+)$", text, re.MULTILINE)
    return {uri: dict(re.findall(r'([A-Z-]+)="?([^",]+)', attributes)) for attributes, uri in found}


async def test_every_stream_that_plays_is_in_it_and_promises_what_it_keeps(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await ingested(audio.noise(tmp_path / "a.wav", 20.0))
    await transcode_version(made.version_id, [StreamFormat.HLS_AAC, StreamFormat.HLS_OPUS])
    variants = variants_of((await store.read(master_key(made.version_id))).decode())
    assert {uri: variant["CODECS"] for uri, variant in variants.items()} == {
        "hls_opus/playlist.m3u8": "opus",
        "hls_aac/playlist.m3u8": "mp4a.40.2",
    }
    assert next(iter(variants)) == "hls_opus/playlist.m3u8"
    for format in ("hls_opus", "hls_aac"):
        playlist = await fetched(store, made, tmp_path / format, format)
        rates = [(tmp_path / format / name).stat().st_size * 8 / seconds for name, seconds in playlist.segments[:-1]]
        promised = variants[f"{format}/playlist.m3u8"]
        assert max(rates) <= int(promised["BANDWIDTH"]) < max(rates) * 1.2
        assert min(rates) * 0.9 < int(promised["AVERAGE-BANDWIDTH"]) <= int(promised["BANDWIDTH"])


async def test_a_stream_made_later_joins_those_that_play(
    sqlite_database: Database, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    await transcode_version(made.version_id, [StreamFormat.HLS_AAC])
    assert list(variants_of((await store.read(master_key(made.version_id))).decode())) == ["hls_aac/playlist.m3u8"]
    with monkeypatch.context() as broken:
        set_environment(broken, FFMPEG_PATH=broken_ffmpeg(tmp_path))
        with pytest.raises(Exception, match="it broke"):
            await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    set_environment(monkeypatch, FFMPEG_PATH=None)
    assert list(variants_of((await store.read(master_key(made.version_id))).decode())) == ["hls_aac/playlist.m3u8"]
    await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    both = ["hls_opus/playlist.m3u8", "hls_aac/playlist.m3u8"]
    assert list(variants_of((await store.read(master_key(made.version_id))).decode())) == both
