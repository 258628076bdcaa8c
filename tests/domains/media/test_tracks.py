"""What the platform shows of a track, from its upload to its stream."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from backend.db.models.media import VersionStatus
from backend.db.session import Database
from backend.domains.media.formats import StreamFormat
from backend.domains.media.loudness import analyse_loudness
from backend.domains.media.tracks import get_track, master_object, stream_object, waveform_object
from backend.domains.media.transcode import transcode_version
from backend.domains.media.versions import move
from backend.domains.media.waveform import draw_waveform
from backend.errors import InvalidInput, NotFound
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import ingested, upload


async def test_a_new_track_shows_its_original_only(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "Blue Hour.wav", 0.5))
    track = await get_track(made.track_id)
    version = track.version
    assert (track.title, version.status, version.original.filename) == ("Blue Hour", "pending", "Blue Hour.wav")
    assert (version.streams, version.waveform, version.loudness, version.duration_s) == ((), None, None, None)
    assert version.master_url is None
    for call in (
        stream_object(made.track_id, "hls_opus"),
        master_object(made.track_id),
        waveform_object(made.track_id, ".json"),
    ):
        with pytest.raises(NotFound):
            await call


async def test_a_finished_track_shows_all(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.tone(tmp_path / "a.flac", 4.0))
    await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    await draw_waveform(made.version_id)
    await analyse_loudness(made.version_id)
    version = (await get_track(made.track_id)).version
    assert (version.status, version.codec, version.duration_s, version.lossless) == ("ready", "flac", 4.0, True)
    [stream] = version.streams
    assert (stream.format, stream.status) == ("hls_opus", "ready")
    assert stream.url == f"/objects/public/{made.version_id}/hls_opus/playlist.m3u8"
    assert version.master_url == f"/objects/public/{made.version_id}/master.m3u8"
    assert version.waveform
    assert version.waveform.png_url == f"/objects/public/{made.version_id}/waveform.png"
    assert version.loudness
    assert version.loudness.integrated_lufs is not None
    for key in (
        await stream_object(made.track_id, "hls_opus"),
        await stream_object(made.track_id, "hls_opus", "segment_000.m4s"),
        await master_object(made.track_id),
        *[await waveform_object(made.track_id, kind) for kind in (".json", ".dat", ".png")],
    ):
        assert await store.exists(key)
    assert json.dumps(asdict(await get_track(made.track_id)), default=str)


async def test_a_silent_track_says_why_it_has_no_loudness(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await ingested(audio.silence(tmp_path / "a.wav", 1.0))
    await analyse_loudness(made.version_id)
    loudness = (await get_track(made.track_id)).version.loudness
    assert loudness
    assert (loudness.integrated_lufs, loudness.true_peak_dbtp) == (None, None)
    assert "gated" in (loudness.note or "")


async def test_a_failed_track_says_why(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    await move(made.version_id, VersionStatus.FAILED, "the file is cut short")
    version = (await get_track(made.track_id)).version
    assert (version.status, version.error) == ("failed", "the file is cut short")


async def test_what_is_not_there_is_not_found(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    for call in (get_track("nope"), stream_object("nope", "hls_opus"), waveform_object("nope", ".png")):
        with pytest.raises(NotFound, match="no track nope"):
            await call


async def test_no_request_leads_out_of_a_stream(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 0.5))
    await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    for name in ("../waveform.json", "..", "", "a/b", "\x00"):
        with pytest.raises(InvalidInput):
            await stream_object(made.track_id, "hls_opus", name)
    with pytest.raises(NotFound):
        await stream_object(made.track_id, "../hls_opus")
    await draw_waveform(made.version_id)
    with pytest.raises(NotFound):
        await waveform_object(made.track_id, ".exe")
