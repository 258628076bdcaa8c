"""The alert rules and the dashboard: well-formed, and about metrics that there are."""

import json
import re
from pathlib import Path

import pytest

from backend.runtime import tally
from tests.promtool import alerts_at, rules_of

FILES = Path(__file__).parent.parent / "docs" / "operations" / "metrics"
DOCUMENT = FILES.with_suffix(".md").read_text()
NAME = re.compile(r"\b(?:worker|backline|process)_[a-z_]+\b")
OF_SAMPLES = re.compile(r"_(?:bucket|sum|count)$")


def documented(name: str) -> bool:
    return re.sub(OF_SAMPLES, "", name) in DOCUMENT or name.startswith("process_")


def test_the_rules_are_well_formed_and_about_what_is_documented() -> None:
    rules = rules_of(FILES / "alerts.yaml")
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    assert [name for rule in rules for name in NAME.findall(str(rule["expr"])) if not documented(name)] == []
    for rule in rules:
        assert {"summary", "description"} == set(rule["annotations"])  # type: ignore[call-overload]


def test_the_dashboard_is_about_what_is_documented() -> None:
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert [name for each in expressions for name in NAME.findall(each) if not documented(name)] == []
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert all(place[2] + place[1] <= 24 for place in places)


def test_every_counter_is_documented() -> None:
    counted = [family.name for family in tally.REGISTRY.collect() if family.name.startswith(("worker_", "backline_"))]
    assert [name for name in counted if name not in DOCUMENT] == []
    assert "worker_job_duration_seconds" in counted


def ledger(name: str, values: str, **labels: str) -> dict[str, str]:
    """A figure of the cluster's, which two processes show alike."""
    rest = "".join(f', {key}="{value}"' for key, value in labels.items())
    return {f'{name}{{job="backline", instance="{instance}"{rest}}}': values for instance in ("a:8000", "b:9100")}


def own(name: str, instance: str, values: str, **labels: str) -> dict[str, str]:
    """A figure of one process."""
    rest = "".join(f', {key}="{value}"' for key, value in labels.items())
    return {f'{name}{{job="backline", instance="{instance}"{rest}}}': values}


WAITS = ledger("backline_cluster_oldest_waiting_seconds", "0+60x40", queue="media")
ENDED = "worker_jobs_processed_total"
CASES = {
    "dead": ("BacklineDeadRuns", ledger("backline_cluster_runs", "0x20 2x20", queue="media", state="dead"), "media"),
    "no death": ("BacklineDeadRuns", ledger("backline_cluster_runs", "2x60", queue="media", state="dead"), None),
    "waits": ("BacklineQueueWaits", WAITS | ledger("backline_cluster_queue_paused", "0x40", queue="media"), "media"),
    "paused": ("BacklineQueueWaits", WAITS | ledger("backline_cluster_queue_paused", "1x40", queue="media"), None),
    "fails": (
        "BacklineFailureRate",
        own(ENDED, "a:8000", "0+9x40", queue="media", status="success")
        | own(ENDED, "b:9100", "0+1x40", queue="media", status="failed"),
        "media",
    ),
    "fails little": (
        "BacklineFailureRate",
        own(ENDED, "a:8000", "0+99x40", queue="media", status="success")
        | own(ENDED, "b:9100", "0+1x40", queue="media", status="failed"),
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_rule_fires_once_for_all_processes(case: str, tmp_path: Path) -> None:
    alert, series, queue = CASES[case]
    fired = alerts_at(FILES / "alerts.yaml", series, alert, 27, tmp_path)
    if fired is not None:  # without promtool the other tests read the rules
        assert [each["queue"] for each in fired] == ([queue] if queue else [])


def test_attempts_lost_with_their_workers_add_up(tmp_path: Path) -> None:
    series = own("backline_lost_attempts_total", "a:8000", "0x20 2x20") | own(
        "backline_lost_attempts_total", "b:9100", "0x20 1x20"
    )
    fired = alerts_at(FILES / "alerts.yaml", series, "BacklineCrashLoop", 25, tmp_path)
    assert fired is None or len(fired) == 1
    assert not alerts_at(FILES / "alerts.yaml", series, "BacklineCrashLoop", 19, tmp_path)
