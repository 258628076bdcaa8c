"""The benchmarks of the runner: stock pydocket, our worker, our runner with its ledger, side by side in one run.

`uv run python -m benchmarks.runner [--quick] [--repeat N] [--json FILE] [--write-docs]`
"""

import argparse
import asyncio
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.idle import Idle, idle
from benchmarks.measures import Drain, Latency, drain, latency
from benchmarks.page import write_section
from benchmarks.report import Results, markdown
from benchmarks.servers import Servers, open_servers
from benchmarks.systems import POSTGRESQL, SQLITE, STOCK, SYSTEMS, System


async def measure(servers: Servers, options: argparse.Namespace) -> Results:
    """All measurements, one after the other."""
    quick = options.quick
    drains: list[Drain] = []
    for _ in range(1 if quick else options.repeat):
        for system in SYSTEMS:
            drains.append(await drain(servers, system, _backlog(system, quick)))
            _say(f"{system.name}: {drains[-1].per_second:,.0f} runs/s")
    latencies: list[Latency] = []
    for system in SYSTEMS:
        if system.concurrency == 10:
            latencies.append(await latency(servers, system, 50 if quick else 200, 20 if quick else 100))
            _say(f"{system.name}: start p50 {latencies[-1].start.p50} ms")
    idles: list[Idle] = []
    for kind, tasks in ((STOCK, 15), (STOCK, 40), (POSTGRESQL, 40), (SQLITE, 40)):
        idles.append(await idle(servers, System(kind, 10), tasks, 5.0 if quick else 20.0))
        _say(f"{kind} with {tasks} tasks: {idles[-1].client_per_s} commands/s")
    return Results(_conditions(options), drains, latencies, idles)


def _backlog(system: System, quick: bool) -> int:
    if system == System(STOCK, 10):
        return 200 if quick else 1_000  # at its defaults it starts some forty a second
    return 1_000 if quick else 10_000


def _conditions(options: argparse.Namespace) -> dict[str, str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("pydocket", "redis", "sqlalchemy", "asyncpg"))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, {packages}",
        "PostgreSQL": "commits wait for the disk" if options.fsync else "fsync off",
        "size": "quick" if options.quick else f"whole, {options.repeat} turns",
    }


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runner", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute or two, for a first look")
    parser.add_argument("--repeat", type=int, default=3, help="turns of the drain (default 3)")
    parser.add_argument("--fsync", action="store_true", help="PostgreSQL waits for the disk at each commit")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--write-docs", action="store_true", help="write the tables into the documentation")
    options = parser.parse_args()
    with open_servers(options.fsync) as servers:
        results = asyncio.run(measure(servers, options))
    text = markdown(results)
    print(f"\n{text}")
    if options.json:
        options.json.write_text(json.dumps(asdict(results), indent=2))
    if options.write_docs:
        write_section("runner", text)


if __name__ == "__main__":
    main()
