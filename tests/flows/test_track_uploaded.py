"""A track goes all the way through, on every engine, and what is not critical does not hold it up."""

import asyncio
from pathlib import Path

import psutil
import pytest

from backend._internal import background_tasks
from backend.domains.media.tracks import master_object, stream_object
from backend.runtime import registry, runs
from tests import audio
from tests.conftest import set_environment
from tests.flows.stage import house, runs_until, settled, upload


@pytest.fixture(autouse=True)
def quick(engine_mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.5", RUNNER_SHUTDOWN_GRACE_S="0.3")


async def test_an_upload_becomes_a_track_that_plays(engine_mode: str, database_url: str, tmp_path: Path) -> None:
    tasks = ("ingest_upload", "transcode_version")
    async with house() as store:
        made = await upload(audio.noise(tmp_path / "Blue Hour.flac", 8.0))
        found = await runs_until(dict.fromkeys(tasks, "succeeded"))
        track = await settled(made, "ready")
        playlist = await store.read(await stream_object(made.track_id, "hls_opus"))
        master = (await store.read(await master_object(made.track_id))).decode()
    assert [(stream.format, stream.status) for stream in track.version.streams] == [
        ("hls_opus", "ready"),
        ("hls_aac", "ready"),
    ]
    assert all(stream.url for stream in track.version.streams)
    assert track.version.master_url
    assert [master.count(f"{stream.format}/playlist.m3u8") for stream in track.version.streams] == [1, 1]
    assert playlist.rstrip().endswith(b"#EXT-X-ENDLIST")
    assert track.version.waveform
    assert track.artwork
    assert track.artwork.source == "generated"
    assert track.version.loudness
    assert track.version.loudness.integrated_lufs is not None
    beside = ("artwork", "loudness", "waveform", "fingerprint")
    assert (found["transcode_version"].result or {})["beside"] == dict.fromkeys(beside, "done")
    assert found["ingest_upload"].id == made.run_id
    assert found["transcode_version"].cause == made.run_id
    assert set(found) == set(tasks)
    for task in tasks:
        assert (found[task].progress or {})["percent"] == 100.0, task


@pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
@pytest.mark.parametrize(
    ("extra", "task", "broken"),
    [
        ("waveform", "draw_waveform", "pcm_s16le"),
        ("loudness", "analyse_loudness", "ebur128=peak=true:framelog=verbose"),
        ("fingerprint", "fingerprint_version", "chromaprint"),
    ],
)
async def test_s15_what_fails_beside_the_streams_does_not_hold_up_the_track(
    engine_mode: str,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extra: str,
    task: str,
    broken: str,
) -> None:
    program = tmp_path / "ffmpeg"
    fails = f'case " $* " in *" {broken} "*) echo "[error] not today" >&2; exit 1;; esac'
    program.write_text(f'#!/bin/sh\n{fails}\nexec {audio.ffmpeg_program()} "$@"\n')
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))
    async with house():
        made = await upload(audio.tone(tmp_path / "a.wav", 1.0))
        found = await runs_until({"transcode_version": "succeeded", task: "scheduled"})
        track = await settled(made, "ready")
        said = (found["transcode_version"].result or {})["beside"][extra]
        assert f"run {found[task].id} tries again" in said
        assert "not today" in said
        made_beside = {"waveform": track.version.waveform, "loudness": track.version.loudness}
        assert {name for name, value in made_beside.items() if value is None} == {extra} & set(made_beside)
        assert {stream.status for stream in track.version.streams} == {"ready"}
        # The others came through, and once it works again so does this one.
        set_environment(monkeypatch, FFMPEG_PATH=None)
        await runs_until({task: "succeeded"})
        version = (await settled(made, "ready")).version
    assert version.waveform
    assert version.loudness


@pytest.mark.parametrize("engine_mode", ["inline", "memory"], indirect=True)
async def test_a_file_cut_short_fails_once_and_nothing_follows(
    engine_mode: str, sqlite_url: str, tmp_path: Path
) -> None:
    async with house():
        made = await upload(audio.truncated(tmp_path / "a.flac", seconds=2.0))
        found = await runs_until({"ingest_upload": "dead"})
        track = await settled(made, "failed")
    assert list(found) == ["ingest_upload"]
    assert found["ingest_upload"].attempt == 1
    assert "cut short" in (found["ingest_upload"].error or "")
    assert "cut short" in (track.version.error or "")


@pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
async def test_a_cancelled_transcode_takes_ffmpeg_with_it(
    engine_mode: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "slow-ffmpeg"
    program.write_text("#!/bin/sh\nexec sleep 61\n")
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))
    async with house():
        made = await upload(audio.tone(tmp_path / "a.wav", 1.0))
        found = await runs_until({"transcode_version": "running"})
        await _sleepers(at_least=2)  # two lanes
        await runs.cancel_run(found["transcode_version"].id)
        await runs_until({"transcode_version": "cancelled"})
        track = await settled(made, "pending")
        assert await _sleepers(at_least=0) == 0
    assert track.version.error == "the work was stopped before its end"


async def _sleepers(at_least: int) -> int:
    for _ in range(300):
        children = psutil.Process().children(recursive=True)
        count = sum(1 for child in children if child.is_running() and child.name() == "sleep")
        if (count >= at_least) if at_least else count == 0:
            return count
        await asyncio.sleep(0.02)
    raise AssertionError(f"{count} programs run")


@pytest.mark.parametrize("engine_mode", ["inline"], indirect=True)
def test_s17_a_transcode_comes_before_what_nobody_waits_for(engine_mode: str) -> None:
    background_tasks.find_rooms()
    transcode = registry["transcode_version"]
    assert transcode.priority > max(
        registry[task].priority
        for task in ("draw_waveform", "analyse_loudness", "extract_artwork", "fingerprint_version")
    )
    assert {
        registry[task].queue for task in ("ingest_upload", "transcode_version", "draw_waveform", "analyse_loudness")
    } == {"media"}
    assert (transcode.limit, transcode.rate and transcode.rate.count) == (2, 10)
    assert [
        registry[task].limit for task in ("draw_waveform", "analyse_loudness", "extract_artwork", "fingerprint_version")
    ] == [4, 4, 4, 2]
