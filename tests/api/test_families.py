"""The routes that older clients know: the curators' queue, the merch desk's jobs and logs, the library's dead letters."""

import asyncio
import csv
import json
from typing import Any

import httpx
import pytest
import websockets
from sqlalchemy import text

from backend.db.session import Database, database
from backend.runtime.history import LogFilter, list_lines
from tests.api import room
from tests.api.following import ended, in_state
from tests.api.room import schedule_api_die, schedule_api_note, schedule_api_steps


async def curators_queue(api: httpx.AsyncClient) -> dict[str, int]:
    return (await api.get("/queue/stats")).json()


async def streamed(api: httpx.AsyncClient, job_id: str) -> list[dict[str, Any]]:
    async with api.stream("GET", f"/jobs/{job_id}/stream") as answer:
        return [
            json.loads(line.removeprefix("data: ")) async for line in answer.aiter_lines() if line.startswith("data")
        ]


async def test_p01_pending_waits_and_active_works(api: httpx.AsyncClient) -> None:
    await api.post("/queues/curation/pause")
    ids = [(await schedule_api_note(f"wait {number}")).id for number in range(3)]
    assert await curators_queue(api) == {"pending": 3, "size": 3, "active": 0, "concurrency": 2}
    await api.post("/queues/curation/resume")
    for each in ids:
        await ended(api, each)
    assert await curators_queue(api) == {"pending": 0, "size": 0, "active": 0, "concurrency": 2}


async def test_a_job_is_followed_to_its_end(api: httpx.AsyncClient) -> None:
    made = await schedule_api_note("followed")
    told = await streamed(api, made.id)
    assert (told[-1]["status"], told[-1]["type"], told[-1]["progress"]["percent"]) == ("success", "api-note", 100.0)
    assert told[-1]["finished"] >= told[-1]["started"] > 1_600_000_000_000
    assert await streamed(api, made.id) == [told[-1]]
    assert await streamed(api, "nobody") == [{"status": "not_found"}]
    assert (await api.get(f"/jobs/{made.id}")).json() == told[-1]
    # What another crew does is no job of the curators.
    other = await schedule_api_steps(1)
    assert (await api.get(f"/jobs/{other.id}")).status_code == 404


async def test_history_is_filtered_and_cleared(api: httpx.AsyncClient) -> None:
    note, dead = await schedule_api_note("kept"), await schedule_api_die("cleared")
    for each in (note, dead):
        await ended(api, each.id)
    assert [job["id"] for job in (await api.get("/history")).json()["jobs"]] == [dead.id, note.id]
    failed = (await api.get("/history", params={"status": "failed", "window": "api-die"})).json()
    assert [(job["id"], job["error"]) for job in failed["jobs"]] == [(dead.id, "cannot: cleared")]
    assert (await api.get("/history", params={"page": 2})).json() == {"jobs": [], "page": 2, "more": False}
    assert (await api.post("/history/clear", json={"clearType": "old"})).json() == {"deleted": 0}
    assert (await api.post("/history/clear", json={"clearType": "failed"})).json() == {"deleted": 1}
    assert [job["id"] for job in (await api.get("/history")).json()["jobs"]] == [note.id]
    assert (await api.post("/history/clear", json={"clearType": "some"})).status_code == 422


async def test_p05_cancelled_jobs_count_once_and_say_so(api: httpx.AsyncClient) -> None:
    made = await room.schedule_api_curate()
    await in_state(api, made.id, "running")
    assert (await api.post("/history/cancel-running")).json() == {"cancelled": 1}
    await ended(api, made.id)
    job = (await api.get(f"/jobs/{made.id}")).json()
    assert (job["status"], job["error"]) == ("failed", "Job cancelled by user")
    assert (await api.post("/history/cancel-running")).json() == {"cancelled": 0}
    assert (await api.post(f"/jobs/{made.id}/cancel")).status_code == 409


async def test_a_scheduled_job_is_seen_changed_and_triggered(api: httpx.AsyncClient) -> None:
    here = "/api/jobs/api_tidy"
    shown = (await api.get(here)).json()
    assert shown["config"]["schedule"] == {"interval_minutes": None, "enabled": True}
    assert shown["config"]["description"].startswith("Says how deep it tidied.")
    assert (shown["status"]["status"], shown["recent_logs"]) == ("idle", [])
    new = {"job_type": "api_tidy", "interval_minutes": 10, "description": "often", "enabled": False}
    added = (await api.post("/api/jobs/add", json=new)).json()
    assert added["config"]["schedule"] == {"interval_minutes": 10.0, "enabled": False}
    assert added["status"]["next_run"] is None
    assert (await api.post(f"{here}/toggle", params={"enabled": True})).json()["config"]["schedule"]["enabled"] is True
    assert (await api.post(f"{here}/schedule", params={"interval_minutes": 5})).json()["config"]["schedule"][
        "interval_minutes"
    ] == 5.0
    run = (await api.post(f"{here}/run-now", json={"deep": True})).json()
    assert (run["status"], run["job_id"], run["params"]) == ("triggered", "api_tidy", {"deep": True})
    assert (await ended(api, run["run_id"]))["result"] is True
    assert (await api.get(here)).json()["status"]["status"] == "success"
    assert (await api.post(f"{here}/run-now", params={"mode": "slow"})).status_code == 422
    assert (await api.post("/api/jobs/nothing/toggle", params={"enabled": True})).status_code == 404


async def test_logs_are_listed_counted_exported_and_forgotten(api: httpx.AsyncClient) -> None:
    dead = await schedule_api_die("logged")
    await ended(api, dead.id)
    lines = (await api.get("/api/logs", params={"job_id": dead.id[:20]})).json()
    end = next(line for line in lines if line["status"])
    assert (end["status"], end["level"], end["job_type"], end["error_text"]) == (
        "FAILED",
        "ERROR",
        "api_die",
        "cannot: logged",
    )
    assert end["duration_seconds"] >= 0
    assert {line["job_id"] for line in lines} == {dead.id}
    assert (await api.get("/api/logs", params={"level": "ERROR", "limit": 1})).json()[0]["level"] == "ERROR"
    counted = (await api.get("/api/logs/stats")).json()
    assert counted["total"] == sum(counted["by_level"].values()) >= len(lines)
    exported = await api.get("/api/logs/export", params={"format": "csv"})
    assert exported.headers["content-type"].startswith("text/csv")
    assert {row["job_id"] for row in csv.DictReader(exported.text.splitlines())} >= {dead.id}
    assert len((await api.get("/api/logs/export")).json()) == counted["total"]
    assert (await api.post("/api/logs/cleanup", params={"days": 30})).json() == {"deleted": 0}
    assert (await api.get("/api/logs", params={"level": "LOUD"})).status_code == 422


async def test_jobs_come_over_the_socket(api: httpx.AsyncClient, base_url: str) -> None:
    address = base_url.replace("http", "ws") + "/ws/logs"
    async with websockets.connect(f"{address}?job_type=api_tidy") as socket:
        told = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert told["type"] == "jobs_update"
        assert [job["job_id"] for job in told["data"]] == ["api_tidy"]
        assert set(told["data"][0]) == {"job_id", "config", "status", "recent_logs"}
        assert json.loads(await asyncio.wait_for(socket.recv(), 20))["type"] == "jobs_update"
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(address, origin="https://evil.example"):
            pass


async def test_dead_letters_in_their_envelope(api: httpx.AsyncClient) -> None:
    ids = [(await schedule_api_die(reason)).id for reason in ("one: two", "three")]
    note = await schedule_api_note("alive")
    for each in (*ids, note.id):
        await ended(api, each)
    page = (await api.get("/dlq", params={"page_size": 1, "order_dir": "asc"})).json()
    assert (page["ok"], page["error"], page["data"]["total"], page["data"]["page_size"]) == (True, None, 2, 1)
    [letter] = page["data"]["items"]
    assert (letter["id"], letter["entity"], letter["reason"], letter["retry_count"]) == (ids[0], "api_die", "cannot", 0)
    assert (await api.get("/dlq", params={"reason": "three"})).json()["data"]["total"] == 1
    assert (await api.get("/dlq/stats")).json()["data"] == {"total": 2, "by_reason": {"cannot": 2}, "last_24h": 2}
    done = (await api.post("/dlq/requeue", json={"ids": [ids[0], note.id, "gone"]})).json()["data"]
    assert done["requeued"] == [ids[0]]
    assert {each["id"]: each["reason"] for each in done["skipped"]} == {
        note.id: "not_dead_letter",
        "gone": "not_dead_letter",
    }
    await ended(api, ids[0])
    refused = await api.post("/dlq/purge", json={"ids": [ids[1]], "older_than": "2026-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["ok"], refused.json()["error"]["code"]) == (
        422,
        False,
        "VALIDATION_ERROR",
    )
    too_large = await api.get("/dlq", params={"page_size": 11})
    assert (too_large.status_code, too_large.json()["error"]["message"]) == (
        422,
        "page_size is 11; at most 10 fit on a page",
    )
    assert (await api.post("/dlq/purge", json={"older_than": "2020-01-01T00:00:00Z"})).json()["data"] == {"purged": 0}
    assert (await api.post("/dlq/purge", json={"ids": [ids[1]]})).json()["data"] == {"purged": 1}
    assert (await api.get("/dlq")).json()["data"]["total"] == 1


async def test_s21_more_than_a_hundred_dead_within_a_day_are_unhealthy(api: httpx.AsyncClient) -> None:
    dead = await schedule_api_die("first")
    await ended(api, dead.id)
    copied = """INSERT INTO runs SELECT :id, task, queue, priority, key, slot, state, args, due_at, parked_on, attempt, starts,
        handover, crashes, cancel_requested, worker, progress, result, error_type, error, error_group, requested_by, cause,
        trace, revision, created_at, handed_at, started_at, finished_at, updated_at FROM runs WHERE id = :of"""
    async with database().engine.begin() as connection:
        for number in range(99):
            await connection.execute(text(copied), {"id": f"copy-{number}", "of": dead.id})
    well = await api.get("/health/workers")
    assert (well.status_code, well.json()["status"]) == (200, "healthy")
    assert well.json()["queues"]["curation"]["failed"] == 100
    assert {"media", "federation", "library", "curation"} <= set(well.json()["queues"])
    async with database().engine.begin() as connection:
        await connection.execute(text(copied), {"id": "copy-100", "of": dead.id})
    ill = await api.get("/health/workers")
    assert (ill.status_code, ill.json()["status"]) == (503, "unhealthy")
    async with database().engine.begin() as connection:
        await connection.execute(text("UPDATE runs SET finished_at = '2020-01-01 00:00:00.000000' WHERE id = 'copy-1'"))
    assert (await api.get("/health/workers")).status_code == 200


async def test_the_board_is_told_when_it_changes(api: httpx.AsyncClient) -> None:
    async with api.stream("GET", "/board/stream") as answer, asyncio.timeout(30):
        lines = answer.aiter_lines()
        boards: list[dict[str, Any]] = []
        async for line in lines:
            if line.startswith("data: "):
                boards.append(json.loads(line.removeprefix("data: ")))
                if len(boards) == 1:
                    await schedule_api_note("seen")
                elif boards[-1]["states"]["succeeded"] > boards[0]["states"]["succeeded"]:
                    break
    assert {queue["name"] for queue in boards[0]["queues"]} >= {"media", "curation"}


async def test_the_documented_queries_run(api: httpx.AsyncClient) -> None:
    """As they are written for the databases they were written for, but for what another dialect calls otherwise."""
    note, dead = await schedule_api_note("asked"), await schedule_api_die("asked")
    for each in (note, dead):
        await ended(api, each.id)
    recent = """SELECT window, status, datetime(started_at/1000, 'unixepoch') as started
        FROM job_runs ORDER BY started_at DESC LIMIT 10"""
    durations = """SELECT window, AVG(finished_at - started_at) as avg_duration_ms, COUNT(*) as total_runs,
        SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) as failures
        FROM job_runs WHERE window LIKE 'api-%' GROUP BY window"""
    last = "SELECT * FROM scheduler_logs ORDER BY timestamp DESC LIMIT 10"  # T-SQL: SELECT TOP 10
    today = """SELECT * FROM scheduler_logs WHERE level = 'ERROR'
        AND date(timestamp) = date('now')"""  # T-SQL: CAST(timestamp AS DATE) = CAST(GETDATE() AS DATE)
    statistics = """SELECT job_type, AVG(duration_seconds) as avg_duration, MAX(duration_seconds) as max_duration
        FROM scheduler_logs WHERE status = 'SUCCESS' GROUP BY job_type"""
    async with database().engine.connect() as connection:

        async def rows(query: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in (await connection.execute(text(query))).all()]

        assert [row[:2] for row in await rows(recent)] == [("api-die", "failed"), ("api-note", "success")]
        assert [(row[0], row[2], row[3]) for row in await rows(durations)] == [("api-die", 1, 1), ("api-note", 1, 0)]
        assert 0 <= (await rows(durations))[0][1] < 60_000
        assert len(await rows(last)) >= 2
        assert {row[2] for row in await rows(today)} == {"api_die"}
        assert "api_note" in {row[0] for row in await rows(statistics)}


async def test_the_views_are_the_same_on_both_databases(database: Database) -> None:
    """An empty ledger has them, and the dialect's own words for JSON and moments are understood."""
    assert await list_lines(LogFilter(level="ERROR", job_type="none")) == []
    async with database.engine.connect() as connection:
        found = await connection.execute(text('SELECT "window", started_at, progress_current FROM job_runs'))
        assert found.all() == []
