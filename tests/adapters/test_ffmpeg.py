"""ffmpeg is run with argument lists, says how far it is, fails with words, and dies when nobody wants it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from backend.adapters.ffmpeg import FfmpegFailed, decoding, run, source
from backend.errors import InvalidInput, Misconfigured, Steer
from tests import audio
from tests.conftest import set_environment

NULL = ["-f", "null", "-"]
BYSTANDERS: set[int] = set()
ENDLESS = ["-re", "-f", "lavfi", "-i", "sine", *NULL]
HOSTILE = [
    "a b.wav",
    "quo'te.wav",
    'dou"ble.wav',
    "semi;colon.wav",
    "$(touch owned).wav",
    "-i.wav",
    "%03d.wav",
    "new\nline.wav",
    "ü.wav",
    "http:a.wav",
]


def script(tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a shell script the ffmpeg of this test."""
    program = tmp_path / "ffmpeg-double"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))


@pytest.fixture(autouse=True)
def bystanders() -> None:
    """Servers of other tests are children of this process too."""
    BYSTANDERS.clear()
    BYSTANDERS.update(child.pid for child in psutil.Process().children(recursive=True))


def descendants() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.pid not in BYSTANDERS and child.status() != psutil.STATUS_ZOMBIE]


async def started(count: int = 1) -> list[psutil.Process]:
    for _ in range(500):
        found = [child for child in descendants() if child.name() != "setpriv"]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("ffmpeg did not start")


@pytest.mark.parametrize("name", HOSTILE)
async def test_s08_no_name_is_ever_read_by_a_shell(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    audio.tone(tmp_path / "tone.wav", 0.1).rename(file)
    await run([*source(file), *NULL], cwd=tmp_path)
    async with decoding(file, 8000, 1) as blocks:
        assert sum([len(block) async for block in blocks]) == pytest.approx(1600, abs=8)
    assert not (tmp_path / "owned").exists()


async def test_progress_is_in_seconds_of_sound(tmp_path: Path) -> None:
    seen: list[float] = []

    async def note(seconds: float) -> None:
        seen.append(seconds)

    await run([*source(audio.tone(tmp_path / "a.wav", 3.0)), *NULL], cwd=tmp_path, on_seconds=note)
    assert seen
    assert min(seen) >= 0
    assert seen[-1] == pytest.approx(3.0, abs=0.05)


async def test_s10_an_existing_output_is_written_over_without_a_question(tmp_path: Path) -> None:
    (tmp_path / "out.wav").write_text("old")
    await run([*source(audio.tone(tmp_path / "a.wav", 0.1)), "out.wav"], cwd=tmp_path)
    assert (tmp_path / "out.wav").read_bytes()[:4] == b"RIFF"


async def test_cancelled_it_is_killed_and_waited_for(tmp_path: Path) -> None:
    running = asyncio.create_task(run(ENDLESS, cwd=tmp_path))
    processes = await started()
    assert os.getpgid(processes[0].pid) != os.getpgid(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert descendants() == []


async def test_a_timeout_kills_it(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await run(ENDLESS, cwd=tmp_path)
    assert descendants() == []


async def test_an_error_of_the_listener_kills_it(tmp_path: Path) -> None:
    async def fail(_: float) -> None:
        raise RuntimeError("the listener broke")

    with pytest.raises(RuntimeError, match="the listener broke"):
        await run(ENDLESS, cwd=tmp_path, on_seconds=fail)
    assert descendants() == []


async def test_its_children_die_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "trap '' TERM INT; sleep 60 & sleep 60", monkeypatch)
    running = asyncio.create_task(run([], cwd=tmp_path))
    await started(3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(100):
        if not descendants():
            break
        await asyncio.sleep(0.01)
    assert descendants() == []


async def test_left_in_the_middle_a_decoder_is_killed(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "a.wav", 60.0, channels=1)

    async def leave() -> None:
        async with decoding(file, 48000, 2) as blocks:
            async for _ in blocks:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await leave()
    assert descendants() == []


async def test_blocks_hold_whole_frames(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "a.wav", 2.0, rate=48000, channels=1)
    async with decoding(file, 48000, 6) as blocks:
        sizes = [len(block) async for block in blocks]
    assert all(size % 12 == 0 for size in sizes)
    assert sum(sizes) == 2 * 48000 * 12


async def test_a_decoder_that_is_not_read_ends_all_the_same(tmp_path: Path) -> None:
    async with decoding(audio.tone(tmp_path / "a.wav", 30.0), 48000, 2):
        pass
    assert descendants() == []


async def test_an_input_that_cannot_be_decoded_is_for_good(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="upload it again") as failed:
        await run([*source(audio.text(tmp_path / "a.wav")), *NULL], cwd=tmp_path)
    assert "Invalid data found" in failed.value.detail
    with pytest.raises(InvalidInput, match="upload it again"):
        async with decoding(tmp_path / "a.wav", 8000, 1) as blocks:
            assert [block async for block in blocks] == []


async def test_no_input_leads_to_another_file(tmp_path: Path) -> None:
    audio.tone(tmp_path / "secret.wav", 0.1)
    for name, words in (
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n"),
        ("b.ffconcat", "ffconcat version 1.0\nfile secret.wav\n"),
    ):
        (tmp_path / name).write_text(words)
        with pytest.raises(InvalidInput):
            await run([*source(tmp_path / name), *NULL], cwd=tmp_path)


async def test_a_lack_in_the_build_is_a_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="backline doctor"):
        await run([*source(audio.tone(tmp_path / "a.wav", 0.1)), "-c:a", "no_such_encoder", *NULL], cwd=tmp_path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo '[error] it broke' >&2; exit 3", r"status 3.*backline doctor.*it broke"),
        ("echo '[out#0] [error] No space left on device' >&2; exit 1", r"no space to write.*TMPDIR"),
        ("kill -KILL $$", r"killed by SIGKILL.*lack of memory.*it said nothing"),
    ],
)
async def test_what_may_pass_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    script(tmp_path, body, monkeypatch)
    with pytest.raises(FfmpegFailed, match=words) as failed:
        await run([], cwd=tmp_path)
    assert failed.value.steer is Steer.RETRY


async def test_the_error_keeps_the_last_grave_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = 'i=0; while [ $i -lt 20000 ]; do echo "[info] chatter $i" >&2; i=$((i+1)); done'
    script(
        tmp_path,
        f"{noise}; echo '[aac @ 0x1] [error] the reason' >&2; {noise.replace('20000', '9')}; exit 1",
        monkeypatch,
    )
    with pytest.raises(FfmpegFailed) as failed:
        await run([], cwd=tmp_path)
    assert failed.value.detail.endswith("It said: [aac @ 0x1] [error] the reason")


async def test_what_it_says_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo END >&2", monkeypatch)
    said = await run([], cwd=tmp_path)
    assert len(said) <= 64 * 1024
    assert said.endswith("END\n")


async def test_no_secret_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_SECRET_ACCESS_KEY", "hush")
    script(tmp_path, "env >&2", monkeypatch)
    said = await run([], cwd=tmp_path)
    assert "PATH=" in said
    assert "hush" not in said


async def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, FFMPEG_PATH=str(tmp_path / "nothing"))
    with pytest.raises(Misconfigured) as failed:
        await run([], cwd=tmp_path)
    assert failed.value.field == "FFMPEG_PATH"


async def test_it_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import asyncio\nfrom pathlib import Path\nfrom backend.adapters.ffmpeg import run\n"
        f"asyncio.run(run({ENDLESS!r}, cwd=Path('.')))\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, str(worker))
    children: list[psutil.Process] = []
    for _ in range(1000):
        children = [child for child in psutil.Process(parent.pid).children() if child.name().startswith("ffmpeg")]
        if children:
            break
        await asyncio.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert children
    assert (len(gone), alive) == (len(children), [])
