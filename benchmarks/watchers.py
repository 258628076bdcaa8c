"""Many who watch one process: event streams of runs, tabs of the desk, and whether the rest stays quick meanwhile.

`uv run python -m benchmarks.watchers [--streams N] [--tabs N] [--write-docs]`
"""

import argparse
import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.measures import Spread
from benchmarks.page import when_and_where, write_section
from tests.dashboard.conftest import DeskServer
from tests.dashboard.tabs import ROOMS, tab

RUNS = 40
PROBE_EVERY_S = 0.05
IDLE_S = 5.0
PROBE = """
import json, select, sys, time, httpx
times = []
with httpx.Client(base_url=sys.argv[1], timeout=60) as client:
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        start = time.perf_counter()
        client.get("/health/live").raise_for_status()
        times.append((time.perf_counter() - start) * 1000)
print(json.dumps(times))
"""
AIM_MS = 100


@dataclass(frozen=True)
class Watched:
    """What the watchers saw, and what they cost."""

    streams: int
    tabs: int
    ended: int  # streams that were told the end
    updates: int  # that tabs were sent
    before_mb: float
    peak_mb: float
    after_mb: float
    idle_ms: Spread  # GET /health/live before
    health_ms: Spread  # and meanwhile


async def measure(streams: int, tabs: int) -> Watched:
    """Open them all while runs go on, and wait until every stream has ended."""
    with DeskServer() as server:
        process = psutil.Process(server.pid)
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client,
            AsyncExitStack() as stack,
        ):
            async with tab(client, "queues"):  # what is loaded once is there
                pass
            async with _probing(server.url) as idle:
                await asyncio.sleep(IDLE_S)
            before = process.memory_info().rss
            opened = [await stack.enter_async_context(tab(client, ROOMS[at % len(ROOMS)])) for at in range(tabs)]
            ids = await asyncio.to_thread(server.seed, "index", RUNS)
            peak = before
            async with _probing(server.url) as probes:
                watching = asyncio.gather(*(_follow(client, ids[at % len(ids)]) for at in range(streams)))
                while not watching.done():
                    peak = max(peak, process.memory_info().rss)
                    await asyncio.sleep(PROBE_EVERY_S)
            ended = sum(watching.result())
            updates = sum(each.updates for each in opened)
            after = process.memory_info().rss
    sizes = (size / 1e6 for size in (before, peak, after))
    return Watched(streams, tabs, ended, updates, *sizes, Spread.of(idle), Spread.of(probes))


async def _follow(client: httpx.AsyncClient, run_id: str) -> bool:
    """Whether the stream tells the terminal state, then its end, and closes."""
    event, last = "", {}
    async with client.stream("GET", f"/runs/{run_id}/stream") as answer:
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                last = json.loads(value)
    return event == "end" and last.get("state") == "succeeded"


@asynccontextmanager
async def _probing(url: str) -> AsyncIterator[list[float]]:
    """Ask for the health meanwhile, in a process of its own: this one is busy with watching. Fills the list at the end."""
    found: list[float] = []
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROBE, url, stdin=PIPE, stdout=PIPE)
    yield found
    told, _ = await process.communicate(b"enough")
    found += json.loads(told)


def report(made: Watched) -> str:
    """The figures as Markdown."""
    return "\n".join(
        (
            *when_and_where(),
            f"- {made.streams} event streams over {RUNS} runs, {made.tabs} tabs of the desk",
            f"- ends told: {made.ended} of {made.streams}; updates that tabs were sent: {made.updates}",
            f"- resident memory: {made.before_mb:.0f} MB before, {made.peak_mb:.0f} MB at most, {made.after_mb:.0f} MB at the end",
            f"- `GET /health/live`: p50 {made.idle_ms.p50} ms, p99 {made.idle_ms.p99} ms before; p50 {made.health_ms.p50} ms, "
            f"p99 {made.health_ms.p99} ms meanwhile (aim: {AIM_MS} ms at p99; "
            f"{'hit' if made.health_ms.p99 <= AIM_MS else 'missed'})",
            "",
        )
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watchers", description=__doc__)
    parser.add_argument("--streams", type=int, default=200, help="event streams of runs (default 200)")
    parser.add_argument("--tabs", type=int, default=50, help="tabs of the desk (default 50)")
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    text = report(asyncio.run(measure(options.streams, options.tabs)))
    print(text)
    if options.write_docs:
        write_section("watchers", text)


if __name__ == "__main__":
    main()
