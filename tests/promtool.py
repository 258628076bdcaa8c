"""Prometheus' own checks of what it is given, where its `promtool` is installed (Debian's package `prometheus` has it)."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

PROMTOOL = shutil.which("promtool")


def metrics_of(text: str) -> dict[str, Metric]:
    """The metrics of a scrape, by name. Also promtool has nothing against them, where it can be asked."""
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a metric is there twice"
    if PROMTOOL:
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return {family.name: family for family in families}


def value(metrics: dict[str, Metric], sample: str, **labels: str) -> float:
    """The sum of this sample's values over all that carry these labels."""
    return sum(each.value for each in samples(metrics.values(), sample) if labels.items() <= each.labels.items())


def samples(families: Iterable[Metric], name: str) -> list[object]:
    """Every sample of this name."""
    return [each for family in families for each in family.samples if each.name == name]


def rules_of(file: Path) -> list[dict[str, object]]:
    """The rules of a file of rules, which is well-formed; promtool has nothing against it, where it can be asked."""
    groups = yaml.safe_load(file.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        assert rule["expr"].strip(), rule
        assert ("alert" in rule) != ("record" in rule), rule
    if PROMTOOL:
        done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return rules


def alerts_at(
    file: Path, series: dict[str, str], alert: str, minute: int, scratch: Path
) -> list[dict[str, str]] | None:
    """The labels of this alert where it fires, given these series (one value a minute). None without promtool."""
    if not PROMTOOL:
        return None
    given = [{"series": name, "values": values} for name, values in series.items()]
    trial = {
        "interval": "1m",
        "input_series": given,
        "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert}],
    }
    asked = scratch / "trial.yaml"
    asked.write_text(yaml.safe_dump({"rule_files": [str(file)], "tests": [trial]}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(asked)], capture_output=True, text=True, check=False)
    # Nothing is expected, so it says what fires instead: `got:[ 0: Labels:{alertname="…", queue="media"} …`.
    got = (done.stdout + done.stderr).partition("got:[")[2]
    fired = re.findall(r"Labels:\{([^}]*)\}", got)
    return [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in fired]
