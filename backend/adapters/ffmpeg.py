"""The ffmpeg program: started with argument lists, watched while it works, and never left behind."""

import asyncio
import os
import shutil
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from backend.adapters.sniff import DEMUXERS
from backend.errors import BacklineError, InvalidInput, Misconfigured, Steer
from backend.settings import get_settings

OnSeconds = Callable[[float], Awaitable[None]]

_LOG_BYTES = 64 * 1024
_SAID_LINES = 4
_BLOCK = 1024 * 1024
_PIPES_CLOSE_S = 5.0
_gives_way: ContextVar[bool] = ContextVar("gives_way", default=False)
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")  # no secret of ours


@contextmanager
def giving_way() -> Iterator[None]:
    """What is started within takes a processor only where the other programs leave one (`nice`, POSIX)."""
    token = _gives_way.set(True)
    try:
        yield
    finally:
        _gives_way.reset(token)


class FfmpegFailed(BacklineError):
    """ffmpeg ended with an error that another try may not meet: no memory, no space, a broken build."""

    title, steer = "ffmpeg failed", Steer.RETRY


def source(file: Path) -> list[str]:
    """The arguments that name an input: a local file in an audio format, and nothing that it may refer to."""
    # A playlist that calls itself music could make ffmpeg read other files and addresses.
    return ["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS, "-i", f"file:{file.absolute()}"]


async def run(
    arguments: Sequence[str], *, cwd: Path, on_seconds: OnSeconds | None = None, loglevel: str = "warning"
) -> str:
    """Run ffmpeg to its end, and give the last 64 kB of what it said.

    `on_seconds` is awaited with the seconds of output made so far. Raises InvalidInput when the input cannot be read,
    FfmpegFailed on any other status than 0. Cancelled, or when `on_seconds` raises, it kills ffmpeg and waits for that.
    """
    options = [f"level+{loglevel}", "-stats_period", "0.5", "-progress", "pipe:1"]
    async with _running(["-loglevel", *options, *arguments], cwd) as (process, said):
        assert process.stdout
        async for line in process.stdout:
            name, _, value = line.decode("ascii", "replace").strip().partition("=")
            # A value is N/A until the first packet is out.
            if on_seconds and name == "out_time_us" and value.lstrip("-").isdigit():
                await on_seconds(max(0.0, int(value) / 1_000_000))
    return said.text


@asynccontextmanager
async def decoding(file: Path, rate: int, channels: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """The first sound stream as blocks of interleaved 16-bit little-endian samples, decoded as fast as they are used.

    Raises like `run` when the block is left and ffmpeg had failed.
    """
    picked = ["-map", "0:a:0", "-vn", "-ar", str(rate), "-ac", str(channels), "-c:a", "pcm_s16le", "-f", "s16le"]
    arguments = ["-loglevel", "level+warning", *source(file), *picked, "pipe:1"]
    async with _running(arguments, file.parent) as (process, _):
        assert process.stdout
        yield _blocks(process.stdout, 2 * channels)
        await _skip(process)


async def _blocks(stream: asyncio.StreamReader, frame: int) -> AsyncIterator[bytes]:
    kept = b""
    while piece := await stream.read(_BLOCK):
        kept += piece
        whole = len(kept) - len(kept) % frame
        if whole:
            yield kept[:whole]
        kept = kept[whole:]


async def find() -> str:
    """The ffmpeg to run: the setting's, else the wheel's. Raises Misconfigured when there is none."""
    if configured := get_settings().media.ffmpeg_path:
        if found := shutil.which(configured):
            return found
        raise Misconfigured(f"FFMPEG_PATH names {configured!r}, which cannot be run", field="FFMPEG_PATH")
    try:
        return await asyncio.to_thread(imageio_ffmpeg.get_ffmpeg_exe)
    except RuntimeError:
        raise Misconfigured("no ffmpeg: install one and set FFMPEG_PATH", field="FFMPEG_PATH") from None


class _Said:
    """The end of what a program wrote to its error output."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    async def listen(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(8192):
            self._bytes += piece
            del self._bytes[:-_LOG_BYTES]

    @property
    def text(self) -> str:
        return self._bytes.decode("utf-8", "replace")


@asynccontextmanager
async def _running(arguments: Sequence[str], cwd: Path) -> AsyncIterator[tuple[Process, _Said]]:
    guard = await asyncio.to_thread(_dies_with_parent)
    manners = ["nice", "-n", "10"] if _gives_way.get() and shutil.which("nice") else []
    command = [*manners, *guard, await find(), "-hide_banner", "-nostdin", "-nostats", "-y", *arguments]
    # A group of its own: a wrapper script's children die with it, and a Ctrl-C at our terminal is ours to handle.
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cwd,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
        limit=_BLOCK,
    )
    assert process.stderr
    said = _Said()
    listening = asyncio.create_task(said.listen(process.stderr))
    try:
        yield process, said
        status = await process.wait()
        await listening
    finally:
        if not listening.done():
            await asyncio.shield(_kill(process, listening))
    if status != 0:
        raise _failure(status, said.text)


async def _kill(process: Process, listening: asyncio.Task[None]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    # What is left in the pipes is read, so that they close.
    _, pending = await asyncio.wait({listening, asyncio.create_task(_skip(process))}, timeout=_PIPES_CLOSE_S)
    for reading in pending:
        reading.cancel()


async def _skip(process: Process) -> None:
    assert process.stdout
    while await process.stdout.read(_BLOCK):
        pass


@cache
def _dies_with_parent() -> list[str]:
    # Where the machine offers it, ffmpeg does not outlive a worker that was killed itself. BusyBox's setpriv cannot.
    setpriv = [shutil.which("setpriv") or "", "--pdeathsig", "KILL"]
    able = bool(setpriv[0]) and subprocess.run([*setpriv, "true"], capture_output=True, check=False).returncode == 0
    return setpriv if able else []


def _failure(status: int, said: str) -> BacklineError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    grave = [line for line in lines if any(f"[{level}]" in line for level in ("error", "fatal", "panic"))]
    reason = " | ".join((grave or lines)[-_SAID_LINES:])[-1000:] or "it said nothing"
    if status < 0:
        cause = f"was killed by {signal.Signals(-status).name}"
        return FfmpegFailed(f"ffmpeg {cause}: look for a lack of memory, then requeue the run. It said: {reason}")
    if "No space left" in reason:
        return FfmpegFailed(
            f"ffmpeg has no space to write: free some in TMPDIR, then requeue the run. It said: {reason}"
        )
    if "Unknown encoder" in reason or "No such filter" in reason or "Unrecognized option" in reason:
        return Misconfigured(
            f"this ffmpeg lacks what is needed: run `backline doctor`. It said: {reason}", field="FFMPEG_PATH"
        )
    if "Error opening input" in reason or "Invalid data found" in reason or "matches no streams" in reason:
        return InvalidInput(f"the file cannot be decoded: upload it again. ffmpeg said: {reason}", field="file")
    return FfmpegFailed(
        f"ffmpeg ended with status {status}: run `backline doctor`, then requeue the run. It said: {reason}"
    )
