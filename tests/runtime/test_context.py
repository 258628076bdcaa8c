"""Progress as a run reports it: throttled, complete, and nothing in it that a ledger could not hold."""

import json
import time

import pytest

from backend.runtime.context import Progress, RunContext, active_run_id, current_run

Report = tuple[Progress, bool]


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def run(reports: list[Report]) -> RunContext:
    return RunContext("r1", "measure", 1, lambda progress, record: reports.append((progress, record)))


async def test_progress_carries_percent_message_counts_and_what_is_left(run: RunContext, reports: list[Report]) -> None:
    run._began = time.monotonic() - 10
    await run.progress(25, 100, "reading", counts={"spotify": 3})
    ((progress, record),) = reports
    assert record
    assert (progress.percent, progress.message, progress.counts) == (25.0, "reading", {"spotify": 3})
    assert progress.eta_s == pytest.approx(30, abs=0.5)


async def test_frequent_calls_are_merged_and_the_latest_is_kept(run: RunContext, reports: list[Report]) -> None:
    for step in range(1000):
        await run.progress(step, 1000)
    assert len(reports) == 1
    assert run.latest is not None
    assert run.latest.current == 999


async def test_completion_is_told_at_once_and_once(run: RunContext, reports: list[Report]) -> None:
    for step in range(1001):
        await run.progress(step, 1000)
    for _ in range(100):
        await run.progress(1000, 1000)
    assert [progress.percent for progress, _ in reports] == [0.0, 100.0]


async def test_the_ledger_gets_every_tenth_percent(
    run: RunContext, reports: list[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.runtime.context.PUBLISH_EVERY_S", 0.0)
    for step in range(0, 101):
        await run.progress(step, 100)
    assert len(reports) == 101
    assert [progress.percent for progress, record in reports if record] == [10.0 * step for step in range(11)]


@pytest.mark.parametrize(
    ("current", "total", "percent"),
    [
        (5, 0, 0.0),
        (5, -1, 0.0),
        (-5, 10, 0.0),
        (50, 10, 100.0),
        (float("nan"), 10, 0.0),
        (1, float("inf"), 0.0),
        (1e-300, 1e300, 0),
    ],
)
async def test_odd_numbers_are_harmless(
    run: RunContext, reports: list[Report], current: float, total: float, percent: float
) -> None:
    await run.progress(current, total, "m\x00\ud800" + "x" * 5000, counts={"a\x00": 2})
    progress = reports[0][0]
    assert progress.percent == percent
    assert len(progress.message or "") < 600
    assert "\\u0000" not in json.dumps(progress.to_json(), allow_nan=False)


async def test_outside_of_runs_progress_goes_nowhere() -> None:
    assert active_run_id() is None
    await current_run().progress(1, 2)
    assert current_run().id == "direct"
