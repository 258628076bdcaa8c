"""How fast the desk answers over a large ledger: `uv run python -m benchmarks.desk [--runs N] [--write-docs]`.

A real PostgreSQL is filled with runs of the last thirty days. Then each page is asked for twice over HTTP, as it is at
first and while its feed is warm.
"""

import argparse
import asyncio
import subprocess
import sys
import time

import asyncpg
import httpx

from benchmarks.page import when_and_where, write_section
from tests.browser.server import ROOT, BacklineServer
from tests.postgres import PostgresServer

PAGE_MS, SEARCH_MS = 300, 500
RUNS = """
INSERT INTO runs (id, task, queue, priority, key, state, args, attempt, starts, handover, crashes, cancel_requested,
                  error_type, error, error_group, revision, created_at, started_at, finished_at, updated_at)
SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || lpad(to_hex(g % 4096), 3, '0') || '-8000-' || lpad(to_hex(g), 12, '0'),
       (ARRAY['transcode_version', 'ingest_upload', 'write_record', 'probe'])[1 + g % 4],
       (ARRAY['media', 'media', 'federation', 'library'])[1 + g % 4], 0, 'track:' || g,
       CASE WHEN g % 100 = 0 THEN 'dead' ELSE 'succeeded' END, jsonb_build_object('track_id', 't' || g),
       1, 1, 1, 0, false,
       CASE WHEN g % 100 = 0 THEN 'Unavailable' END,
       CASE WHEN g % 100 = 0 THEN 'server ' || g % 700 || ' is away' END,
       CASE WHEN g % 100 = 0 THEN 'group' || g % 7 END,
       3, at, at + interval '1 s', at + interval '3 s', at
FROM (SELECT g, at, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h
      FROM (SELECT g, now() - interval '30 days' * (1 - g::float / {runs}) AS at FROM generate_series(1, {runs}) g) made) named
"""
ATTEMPTS = """
INSERT INTO attempts (run_id, number, worker, started_at, ended_at, outcome, error_type, error, logs)
SELECT id, 1, 'somebody', started_at, finished_at, CASE state WHEN 'dead' THEN 'failed' ELSE 'succeeded' END, error_type, error,
       '[{"at": "2026-11-01T00:00:00+00:00", "level": "INFO", "logger": "x", "message": "a line"}]'::jsonb
FROM runs
"""
PAGES = (
    "/desk/", "/desk/runs", "/desk/runs?q=state:dead", "/desk/runs?q=key:track:4711", "/desk/runs?q=server%20300%20is%20away",
    "/desk/runs?q=nothing-says-this", "/desk/runs?q=args.track_id:t4711", "/desk/queues", "/desk/schedules", "/desk/dead",
    "/desk/workers", "/desk/logs", "/desk/audit",
)  # fmt: skip


class DeskServer(BacklineServer):
    """Backline over that PostgreSQL."""

    database = ""

    @property
    def environment(self) -> dict[str, str]:
        """The same, with the other database."""
        return super().environment | {"DATABASE_URL": self.database}


def fill(postgres: PostgresServer, runs: int, environment: dict[str, str]) -> None:
    """Migrate, and insert so many runs with an attempt each."""
    command = [sys.executable, "-m", "backend.cli", "migrate"]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    for statement in (RUNS.format(runs=runs), ATTEMPTS, "VACUUM ANALYZE runs", "VACUUM ANALYZE attempts"):
        began = time.monotonic()
        asyncio.run(_execute(postgres.url, statement))
        print(f"{statement.split('(')[0].strip()}: {time.monotonic() - began:.0f} s", flush=True)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def measure(url: str) -> dict[str, tuple[float, float]]:
    """How long each page's first and third answer took, in milliseconds."""
    taken = {}
    with httpx.Client(base_url=url, timeout=60) as client:
        client.get("/desk/workers")  # the process is warm, the page is not
        for path in PAGES:
            times = []
            for _ in range(3):
                began = time.monotonic()
                answer = client.get(path).raise_for_status()
                if "part-error" in answer.text:
                    sys.exit(f"{path} shows an error instead of the ledger")
                times.append(1000 * (time.monotonic() - began))
            taken[path] = (times[0], times[2])
            time.sleep(1.5)
    return taken


def report(runs: int, taken: dict[str, tuple[float, float]]) -> str:
    """The figures as Markdown."""
    pages = [first for path, (first, _) in taken.items() if "?q=" not in path]
    searches = [first for path, (first, _) in taken.items() if "?q=" in path]
    lines = [
        *when_and_where(),
        f"- {runs:,} runs with an attempt each, PostgreSQL",
        f"- slowest first answer of a page: {max(pages):.0f} ms (aim: {PAGE_MS}; {_hit(max(pages), PAGE_MS)}); of a search: "
        f"{max(searches):.0f} ms (aim: {SEARCH_MS}; {_hit(max(searches), SEARCH_MS)})",
        "",
        "| page | first, ms | again, ms |",
        "| --- | --- | --- |",
        *(f"| `{path}` | {first:.0f} | {again:.0f} |" for path, (first, again) in taken.items()),
        "",
    ]
    return "\n".join(lines)


def _hit(value: float, aim: float) -> str:
    return "hit" if value <= aim else "missed"


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    with PostgresServer() as postgres:
        server = DeskServer()
        server.database = postgres.url
        fill(postgres, options.runs, server.environment)
        with server:
            text = report(options.runs, measure(server.url))
    print(text)
    if options.write_docs:
        write_section("desk", text)


if __name__ == "__main__":
    main()
