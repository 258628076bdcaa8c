"""`backline demo`: a track goes all the way through, on this machine, with nothing installed and nothing left behind."""

import asyncio
import io
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import httpx
import typer

from backend.api.app import create_app
from backend.api.serving import serving
from backend.cli.demo_audio import compose
from backend.cli.demo_client import DemoClient, Json
from backend.cli.demo_view import RunBars, addresses, run_table, track_panel
from backend.cli.embedded import embedded_settings
from backend.cli.output import err, out, print_json, span
from backend.cli.session import AsJson, ExitCode, command
from backend.runtime.stopping import stop_signals

T = TypeVar("T")


@dataclass
class Outcome:
    """What came of the demo. `seconds` is by run: how long it waited and how long it took."""

    track: Json
    runs: list[Json]
    pairs: list[int]
    files: int
    size: int
    total_s: float

    @property
    def ok(self) -> bool:
        """Whether everything succeeded and the stream plays."""
        succeeded = all(run["state"] == "succeeded" for run in self.runs)
        return succeeded and self.track["version"]["status"] == "ready" and self.files > 1

    @property
    def seconds(self) -> dict[str, tuple[float | None, float | None]]:
        """For each run: seconds until it started, and from then to its end."""
        return {
            run["id"]: (_between(run, "created_at", "started_at"), _between(run, "started_at", "finished_at"))
            for run in self.runs
        }


@command
async def demo(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="An audio file. Left out: a piece is composed.", exists=True, dir_okay=False, readable=True
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when the track is through, instead of serving on.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on. 0: a free one.")] = 0,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Keep everything here. Default: gone at the end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a track to a Backline of its own, watch its runs, and see what was made of it.

    Everything is embedded: SQLite, local objects, the in-process engine, the bundled ffmpeg. Exit code 1 when anything
    failed.
    """
    with _directory(data_dir) as directory, embedded_settings(directory) as settings:
        async with stop_signals() as stop, serving(create_app(settings), port=port) as base_url:
            err.print(f"Backline is up at [bold]{base_url}[/]: SQLite, local objects, embedded engine.")
            if file is None:
                err.print("Composing a piece: four chords, a bass, an arpeggio.")
            outcome = await _unless(stop, _through(base_url, file))
            if outcome is None:
                raise typer.Exit(ExitCode.INTERRUPTED)
            _report(outcome, base_url, as_json)
            if once:
                err.print(
                    "These addresses are gone with this process. Leave --once out to play the stream.", style="dim"
                )
            elif outcome.ok:
                page = f"{base_url}{outcome.track['links']['page']}"
                err.print(f"Serving on. Listen: [bold]{page}[/] · API: {base_url}/docs · Ctrl+C stops.", soft_wrap=True)
                await stop.wait()
    if not outcome.ok:
        raise typer.Exit(ExitCode.FAILED)


async def _through(base_url: str, file: Path | None) -> Outcome:
    """Send the track in, and wait until all that follows has ended."""
    # Composing takes a moment of arithmetic, which must not hold up the loop.
    with await asyncio.to_thread(_sound, file) as content:
        name = file.name if file else "four-chords.wav"
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=base_url, timeout=60) as http:
            client = DemoClient(http)
            fields = {} if file else {"title": "Four Chords", "artist": "Backline"}
            track = await client.upload(name, content, **fields)
            with RunBars(err) as bars:
                runs = await client.follow_all(track["links"]["runs"], bars.show)
            total = time.monotonic() - began
            track = await client.track(track["id"])
            links = track["links"]
            files, size = await client.playable(links["hls_opus"]) if "hls_opus" in links else (0, 0)
            pairs = await client.waveform(links["waveform_json"]) if "waveform_json" in links else []
            return Outcome(track, runs, pairs, files, size, total)


def _report(outcome: Outcome, base_url: str, as_json: bool) -> None:
    if as_json:
        seconds = {key: {"waited": waited, "took": took} for key, (waited, took) in outcome.seconds.items()}
        print_json(
            {
                "ok": outcome.ok,
                "base_url": base_url,
                "track": outcome.track,
                "runs": outcome.runs,
                "seconds": {"total": round(outcome.total_s, 3), "runs": seconds},
            }
        )
        return
    out.print()
    if outcome.track["version"]["duration_s"] is None:
        out.print(f"The file was refused: {outcome.track['version']['error']}", style="red", markup=False)
    else:
        out.print(track_panel(outcome.track, outcome.pairs, outcome.files, outcome.size))
        for line in addresses(outcome.track, base_url):
            out.print(line, soft_wrap=True)
        out.print()
    out.print(run_table(outcome.runs, outcome.seconds))
    verdict = f"Through in {span(outcome.total_s)}." if outcome.ok else "Something failed: see the states above."
    out.print(f"\n{verdict}", style="green" if outcome.ok else "red")


def _sound(file: Path | None) -> BinaryIO:
    return file.open("rb") if file else io.BytesIO(compose())


@contextmanager
def _directory(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="backline-demo-") as made:
        yield Path(made)


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What `work` gives, or None when `stop` came first."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for each in (working, stopping):
            each.cancel()
        await asyncio.wait({working, stopping})


def _between(run: Json, start: str, end: str) -> float | None:
    if not run[start] or not run[end]:
        return None
    return (datetime.fromisoformat(run[end]) - datetime.fromisoformat(run[start])).total_seconds()
