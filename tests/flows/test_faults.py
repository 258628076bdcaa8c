"""What fails in the middle of the work: it is tried again, nothing half-made is shown, and no file stays behind."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from backend.domains.media.tracks import get_track
from backend.settings import Settings
from backend.storage import Bucket
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary
from tests.flows.stage import CREW, house, runs_until, settled, upload
from tests.proxy import cable
from tests.storage.conftest import moto as moto
from tests.storage.conftest import s3_settings as s3_settings
from tests.storage.moto import MotoServer

pytestmark = pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)

# Kills the first ffmpeg that makes a stream as soon as its first segment is there.
KILLER = """#!/bin/sh
case "$*" in *m3u8*) mkdir '{mark}' 2>/dev/null || exec '{ffmpeg}' "$@";; *) exec '{ffmpeg}' "$@";; esac
'{ffmpeg}' "$@" & child=$!
while ! find . -name '*.m4s' | grep -q .; do sleep 0.01; done
kill -KILL $child; kill -KILL $$
"""


@pytest.fixture(autouse=True)
def quick(engine_mode: str, sqlite_url: str, temporary: Temporary, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")


async def test_ffmpeg_killed_in_the_middle_starts_anew(
    engine_mode: str, tmp_path: Path, temporary: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = tmp_path / "killer"
    killer.write_text(KILLER.format(mark=tmp_path / "killed", ffmpeg=audio.ffmpeg_program()))
    killer.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(killer))
    async with house() as store:
        made = await upload(audio.noise(tmp_path / "a.flac", 60.0))
        found = await runs_until({"transcode_version": "scheduled"})
        assert "killed by SIGKILL" in (found["transcode_version"].error or "")
        streams = (await get_track(made.track_id)).version.streams
        [killed] = [stream for stream in streams if stream.error]
        assert (killed.status, killed.url) == ("pending", None)
        assert "killed by SIGKILL" in (killed.error or "")
        shown = [info.key.path async for info in store.list(Bucket.PUBLIC) if info.key.path.endswith("playlist.m3u8")]
        assert not [path for path in shown if killed.format in path]
        found = await runs_until(dict.fromkeys(CREW, "succeeded"))
        track = await settled(made, "ready")
    assert found["transcode_version"].attempt == 2
    assert track.version.error is None
    assert {stream.status for stream in track.version.streams} == {"ready"}
    assert temporary.left() == []


async def test_storage_away_in_the_middle_is_waited_for(
    engine_mode: str,
    tmp_path: Path,
    temporary: Temporary,
    moto: MotoServer,
    s3_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with cable(moto.port) as line:
        set_environment(monkeypatch, STORAGE_ENDPOINT=f"http://127.0.0.1:{line.port}")
        async with house() as store:
            line.pull_at(b"/segment_001.m4s")
            made = await upload(audio.noise(tmp_path / "a.flac", 20.0))
            found = await runs_until({"transcode_version": "scheduled"}, 60)
            assert line.pulled.is_set()
            assert "object store failed for" in (found["transcode_version"].error or "")
            assert (await get_track(made.track_id)).version.status == "pending"
            listed = await asyncio.to_thread(moto.request, "GET", f"/{s3_settings.storage.storage_public_bucket}")
            assert b".m3u8" not in listed[1]
            line.plug_in()
            await runs_until(dict.fromkeys(CREW, "succeeded"), 60)
            track = await settled(made, "ready")
            streams = {stream.status for stream in track.version.streams}
            playlists = [info async for info in store.list(Bucket.PUBLIC) if info.key.path.endswith("playlist.m3u8")]
    assert streams == {"ready"}
    assert len(playlists) == len(track.version.streams)
    assert temporary.left() == []


@pytest.mark.parametrize(
    ("place", "size", "task", "words"),
    [
        ("tmp", "200k", "ingest_upload", r"no space for a copy of .*TMPDIR"),
        ("tmp", "2200k", "transcode_version", "unfinished stream.*free space in the directory that TMPDIR names"),
        ("objects", "1200k", "transcode_version", r"object store is full: free space in the data directory"),
    ],
)
async def test_a_full_disk_is_named_and_waited_for(
    engine_mode: str, tmp_path: Path, place: str, size: str, task: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "tiny" if place == "tmp" else tmp_path / "data" / "objects"
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory if place == "tmp" else tmp_path / "wide"
    temporary.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(temporary))
    file = tmp_path / "a.opus"  # 0.4 MB, and more than 2 MB of streams
    audio.ffmpeg("-f", "lavfi", "-i", "anoisesrc=color=pink:duration=120", "-c:a", "libopus", "-b:a", "24k", file)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.flows.small_disk", str(directory), size, str(file)),
        stdout=PIPE,
        stderr=PIPE,
        env=dict(os.environ),
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, f"this test mounts a file system in a namespace of its own: {err.decode()[-2000:]}"
    failed, ended = map(json.loads, out.decode().splitlines())
    assert failed["task"] == task
    assert failed["state"] == "scheduled"
    assert re.search(words, failed["error"])
    assert failed["playlists"] == []
    assert failed["status"] == "pending"
    assert set(ended["streams"]) == {"ready"}
    assert ended["left"] == []
