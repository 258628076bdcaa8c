"""Metrics: the documented names, each run counted once by one process, and the ledger's figures the same at all."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from secrets import token_hex

import httpx
import pytest
from prometheus_client import Metric

from backend.api.app import create_app
from backend.api.serving import serving
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Run
from backend.db.session import database, unit_of_work
from backend.domains.federation.sign_ins import Role, open_sign_in
from backend.runtime import metrics as runtime_metrics
from backend.settings import get_settings
from tests.api.following import ended
from tests.api.room import schedule_api_die, schedule_api_note
from tests.conftest import set_environment
from tests.promtool import metrics_of, value

WORKER = "import sys, tests.api.room; from backend.worker import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape looks into the ledger."""
    monkeypatch.setattr(runtime_metrics, "KEPT_S", -1.0)


async def scraped(client: httpx.AsyncClient) -> dict[str, Metric]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return metrics_of(answer.text)


async def test_counts_what_ended_by_queue_and_status(api: httpx.AsyncClient) -> None:
    before = await scraped(api)
    for receipt in (await schedule_api_note("one"), await schedule_api_note("two"), await schedule_api_die()):
        await ended(api, receipt.id)
    after = await scraped(api)

    def grown(sample: str, **labels: str) -> float:
        return value(after, sample, **labels) - value(before, sample, **labels)

    assert grown("worker_jobs_processed_total", queue="curation", status="success") == 2
    assert grown("worker_jobs_processed_total", queue="curation", status="failed") == 1
    assert grown("worker_job_duration_seconds_count", queue="curation") == 2
    assert grown("worker_job_duration_seconds_bucket", queue="curation", le="1.0") == 2
    assert grown("backline_attempts_total", task="api_note", outcome="succeeded") == 2
    assert grown("backline_attempts_total", task="api_die", outcome="failed") == 1
    assert grown("backline_dead_total", task="api_die") == 1
    assert grown("backline_handover_lag_seconds_count", queue="curation") == 3
    bounds = {each.labels["le"] for each in after["worker_job_duration_seconds"].samples if "le" in each.labels}
    assert bounds == {"1.0", "5.0", "10.0", "30.0", "60.0", "120.0", "300.0", "+Inf"}


async def test_shows_what_waits_what_is_dead_and_how_the_process_is(api: httpx.AsyncClient) -> None:
    await ended(api, (await schedule_api_die()).id)
    await api.post("/queues/library/pause")
    hour_ago = now().replace(microsecond=0)
    async with unit_of_work() as unit:
        old = {"task": "api_wait", "queue": "library", "args": {}, "state": "waiting"}
        unit.session.add(Run(id=new_id(), updated_at=hour_ago, **old))
        unit.session.add(Run(id=new_id(), parked_on="did:plc:alice", **old))
    found = await scraped(api)
    assert value(found, "backline_cluster_runs", queue="library", state="waiting") == 1
    assert value(found, "backline_cluster_runs", queue="library", state="parked") == 1
    assert value(found, "backline_cluster_runs", state="dead") == 1
    assert value(found, "backline_cluster_runs", queue="media", state="waiting") == 0
    assert value(found, "backline_cluster_queue_paused", queue="library") == 1
    assert value(found, "backline_cluster_capacity") == 10
    assert 0 <= value(found, "backline_cluster_oldest_waiting_seconds", queue="library") < 60
    assert value(found, "backline_ledger_up") == value(found, "backline_engine_up") == 1
    assert value(found, "backline_loop_up") == len(found["backline_loop_up"].samples) == 5
    assert value(found, "backline_database_pool_connections", state="limit") == 10
    assert value(found, "process_resident_memory_bytes") > 10_000_000
    assert "backline_loop_lag_seconds" in found


async def test_goes_without_a_ledger_that_is_away(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(await scraped(api), "backline_ledger_up") == 1
    await database().engine.dispose()
    monkeypatch.setattr(runtime_metrics, "PATIENCE_S", 0.0)
    found = await scraped(api)
    assert value(found, "backline_ledger_up") == 0
    assert "backline_cluster_runs" not in found
    assert "worker_jobs_processed" in found


async def test_scrapes_share_one_look(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_metrics, "KEPT_S", 60.0)
    first = await scraped(api)
    await ended(api, (await schedule_api_die()).id)
    second = await scraped(api)
    assert value(first, "backline_cluster_runs") == value(second, "backline_cluster_runs") == 0
    assert value(second, "backline_dead_total") > 0


async def test_openmetrics_for_who_asks_for_it(api: httpx.AsyncClient) -> None:
    answer = await api.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_where_backline_is_closed_it_needs_a_viewers_token(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DATABASE_URL=sqlite_url, HTTP_HOST="0.0.0.0", RUNNER_SHUTDOWN_GRACE_S="0.5")
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/metrics")).status_code == 401
        client.headers["Authorization"] = f"Bearer {await open_sign_in('did:plc:prometheus', Role.ARTIST)}"
        assert (await client.get("/metrics")).status_code == 403
        client.headers["Authorization"] = f"Bearer {await open_sign_in('did:plc:prometheus', Role.VIEWER)}"
        assert value(await scraped(client), "backline_ledger_up") == 1


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER], env=os.environ.copy(), stderr=subprocess.DEVNULL)


async def test_a_run_is_counted_once_whichever_process_is_scraped(
    sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=redis_url, DOCKET_NAME=f"test-{token_hex(6)}",
        RUNNER_SHUTDOWN_GRACE_S="2", RUNNER_HEARTBEAT_S="0.3", DOCKET_WORKER_CONCURRENCY="2", METRICS_PORT=str(port),
    )  # fmt: skip
    worker = start_worker()
    try:
        async with (
            serving(create_app(get_settings())) as url,
            httpx.AsyncClient(base_url=url, timeout=30) as here,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as there,
        ):
            await _answers(there)
            before = [await scraped(here), await scraped(there)]
            for receipt in [await schedule_api_note(f"note {number}") for number in range(30)]:
                await ended(here, receipt.id)
            await ended(here, (await schedule_api_die()).id)
            after = [await scraped(here), await scraped(there)]
            # The worker looks into the ledger every few seconds.
            async with asyncio.timeout(30):
                while value(cluster := await scraped(there), "backline_cluster_runs", state="dead") == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
    finally:
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.wait, 30)
    processed = [
        value(late, "worker_jobs_processed_total") - value(early, "worker_jobs_processed_total")
        for early, late in zip(before, after, strict=True)
    ]
    assert sum(processed) == 31
    # Both have taken some: else this would show nothing.
    assert all(processed)
    assert value(after[0], "backline_cluster_runs") == value(cluster, "backline_cluster_runs") == 1
    kinds = [each["backline_process_info"].samples[0].labels["kind"] for each in after]
    assert kinds == ["api", "worker"]
    assert value(after[1], "backline_redis_pool_connections", state="in_use") > 0


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
