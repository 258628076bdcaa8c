"""The alert rules and the dashboard: well-formed, and about metrics that there are."""

import json
import re
from pathlib import Path

from backend.runtime import tally
from tests.promtool import rules_of

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
