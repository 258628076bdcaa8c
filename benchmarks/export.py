"""An export under load: memory and answers of the whole process while it packs.

`uv run python -m benchmarks.export [--gb N] [--tracks N] [--write-docs]`
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.db.ids import new_id
from backend.db.migrate import prepare
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import open_database, unit_of_work
from backend.domains.federation.sign_ins import open_sign_in
from backend.settings import SECTIONS, get_settings
from backend.storage import original_key
from benchmarks.measures import Spread
from benchmarks.page import when_and_where, write_section

DID = "did:plc:benchmark"
PROBE_EVERY_S = 0.05
IDLE_PROBES = 100
START_S = 60.0
AIM_MB, AIM_MS = 150, 50


@dataclass(frozen=True)
class Exported:
    """One export, seen from outside."""

    gigabytes: float
    seconds: float
    memory_before_mb: float
    memory_peak_mb: float
    idle_ms: Spread  # GET /health before
    health_ms: Spread  # and meanwhile
    probes: int


async def measure(directory: Path, gigabytes: float, tracks: int) -> tuple[Exported, Path]:
    """Fill a library with sparse originals, export it through the API, and watch the process."""
    _configure(directory)
    token = await _fill(int(gigabytes * 1e9) // tracks, tracks)
    with _server(directory) as (process, address):
        export, figures = await _watch(process, address, token)
    if export["state"] != "ready" or figures.gigabytes < gigabytes * 0.99:
        raise SystemExit(f"the export is {export['state']}, with {figures.gigabytes:.2f} GB")
    file = directory / "objects" / "private" / "exports" / export["id"] / "tracks.zip"
    return figures, file


async def _watch(process: subprocess.Popen[bytes], address: str, token: str) -> tuple[dict[str, Any], Exported]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as api:
        api.headers["Authorization"] = f"Bearer {token}"
        idle = Spread.of([await _probe(api) for _ in range(IDLE_PROBES)])
        vitals = psutil.Process(process.pid)
        before = peak = vitals.memory_info().rss
        waits: list[float] = []
        asked = await api.post("/exports")
        asked.raise_for_status()
        shown, began = asked.json()["links"]["self"], time.monotonic()
        while True:
            waits.append(await _probe(api))
            peak = max(peak, vitals.memory_info().rss)
            export = (await api.get(shown)).json()
            if export["state"] != "preparing":
                break
            await asyncio.sleep(PROBE_EVERY_S)
        seconds = time.monotonic() - began
    size = (export["size_bytes"] or 0) / 1e9
    return export, Exported(size, seconds, before / 1e6, peak / 1e6, idle, Spread.of(waits), len(waits))


async def _probe(api: httpx.AsyncClient) -> float:
    start = time.perf_counter()
    (await api.get("/health")).raise_for_status()
    return (time.perf_counter() - start) * 1000


def _configure(directory: Path) -> None:
    for name in [name for section in SECTIONS for name in section.model_fields]:
        os.environ.pop(name.upper(), None)
    os.environ["DATA_DIR"] = str(directory)
    get_settings.cache_clear()


async def _fill(size: int, tracks: int) -> str:
    settings = get_settings()
    async with open_database(settings.database) as database:
        await prepare(database)
        for number in range(tracks):
            version_id = new_id()
            key = original_key(version_id, ".wav")
            file = settings.database.data_dir / "objects" / "private" / key.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as sparse:
                sparse.truncate(size)
            async with unit_of_work() as unit:
                track = Track(id=new_id(), title=f"Track {number}", artist_did=DID, current_version_id=version_id)
                asset = Asset(id=new_id(), bucket="private", key=key.path, mime="audio/wav", size_bytes=size)
                unit.session.add_all([track, asset])
                await unit.session.flush()
                unit.session.add(TrackVersion(id=version_id, track_id=track.id, original_asset_id=asset.id))
        return await open_sign_in(DID)


@contextmanager
def _server(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`backline serve` in a process of its own, and its address."""
    with (directory / "log").open("wb") as log:
        command = [sys.executable, "-m", "backend.cli", "serve", "--port", "0"]
        process = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        yield process, _address(process, directory / "log")
    finally:
        process.terminate()
        process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for connection in psutil.Process(process.pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return f"http://127.0.0.1:{connection.laddr.port}"
        time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def report(made: Exported, file: Path) -> str:
    """The figures as Markdown, with what others' tools say of the archive."""
    growth, whole = made.memory_peak_mb - made.memory_before_mb, made.memory_peak_mb <= AIM_MB
    return "\n".join(
        (
            *when_and_where(),
            f"- {made.gigabytes:.2f} GB in {made.seconds:.1f} s ({made.gigabytes * 1000 / made.seconds:.0f} MB/s)",
            f"- resident memory of the whole process: {made.memory_before_mb:.0f} MB before, {made.memory_peak_mb:.0f} MB at "
            f"most (aim: {AIM_MB}; {'hit' if whole else 'missed'}); the export itself: {growth:.0f} MB",
            f"- `GET /health`: p50 {made.idle_ms.p50} ms, p99 {made.idle_ms.p99} ms before; p50 {made.health_ms.p50} ms, "
            f"p99 {made.health_ms.p99} ms meanwhile ({made.probes} times; aim: {AIM_MS} ms at p99; "
            f"{'hit' if made.health_ms.p99 <= AIM_MS else 'missed'})",
            f"- Python's zipfile: {_zipfile_says(file)}; `unzip -t`: {_unzip_says(file)}",
            "",
        )
    )


def _zipfile_says(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return f"{'whole' if archive.testzip() is None else 'BROKEN'}, {len(archive.namelist())} files"


def _unzip_says(file: Path) -> str:
    try:
        tested = subprocess.run(["unzip", "-tq", str(file)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not on this machine"
    return "whole" if tested.returncode == 0 else tested.stdout[-300:]


def main() -> None:
    """Measure, check the archive with others' tools, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    parser.add_argument("--gb", type=float, default=2.0, help="size of all originals (default 2)")
    parser.add_argument("--tracks", type=int, default=20, help="how many they are (default 20)")
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-export-") as directory:
        text = report(*asyncio.run(measure(Path(directory), options.gb, options.tracks)))
    print(text)
    if options.write_docs:
        write_section("export", text)


if __name__ == "__main__":
    main()
