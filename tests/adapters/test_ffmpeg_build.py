"""What `doctor` says about ffmpeg."""

from pathlib import Path

import pytest

from backend.adapters.ffmpeg_build import inspect_ffmpeg
from backend.errors import Misconfigured
from tests import audio
from tests.conftest import set_environment


def double(tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg-double"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))


async def test_the_wheel_has_all_that_is_needed() -> None:
    build = await inspect_ffmpeg()
    assert build.problems == ()
    assert build.version
    assert build.program == audio.ffmpeg_program()


async def test_what_is_missing_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double(tmp_path, 'echo "ffmpeg version 4.2.7-0ubuntu0.1 Copyright"; echo " A aac,alac"', monkeypatch)
    build = await inspect_ffmpeg()
    assert build.version == "4.2.7-0ubuntu0.1"
    assert any("oldest" in problem for problem in build.problems)
    assert "it was built without the encoder libopus" in build.problems
    assert not any("alac" in problem for problem in build.problems)


@pytest.mark.parametrize("body", ["echo hello", "exit 1"])
async def test_another_program_is_no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    double(tmp_path, body, monkeypatch)
    with pytest.raises(Misconfigured, match="no ffmpeg"):
        await inspect_ffmpeg()


async def test_a_file_that_cannot_be_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "ffmpeg-double"
    broken.write_bytes(b"\x7fELF but not really")
    broken.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(broken))
    with pytest.raises(Misconfigured, match="cannot be run"):
        await inspect_ffmpeg()
