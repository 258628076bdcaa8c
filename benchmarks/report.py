"""What was measured, as tables for people: figures side by side, and the aims with hit or miss."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.idle import Idle
from benchmarks.measures import Drain, Latency
from benchmarks.systems import ENGINE, POSTGRESQL, SQLITE, STOCK, SYSTEMS, System

IDLE_AIM = 5.0


@dataclass(frozen=True)
class Results:
    """Everything that one run of the benchmarks measured."""

    conditions: dict[str, str]
    drains: list[Drain]
    latencies: list[Latency]
    idles: list[Idle]

    def rate(self, kind: str, concurrency: int) -> float:
        """The median of the runs a second."""
        return median(d.per_second for d in self.drains if d.system == System(kind, concurrency).name)

    def start_p50(self, kind: str) -> float:
        """The median of the p50 of enqueue to start, in milliseconds."""
        return median(each.start.p50 for each in self.latencies if each.system.startswith(f"{kind}-"))

    def idle_rate(self, kind: str, tasks: int) -> float:
        """Commands a second that the process sends."""
        return next(each.client_per_s for each in self.idles if each.system == kind and each.tasks == tasks)


def markdown(results: Results) -> str:
    """All tables."""
    lines = [f"- {name}: {value}" for name, value in results.conditions.items()]
    parts = ["\n".join(lines), _drains(results), _latencies(results), _idles(results), _aims(results)]
    return "\n\n".join(parts) + "\n"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    body = [head, ["---"] * len(head), *rows]
    return "\n".join([f"### {title}", "", *("| " + " | ".join(str(cell) for cell in row) + " |" for row in body)])


def _drains(results: Results) -> str:
    rows = []
    for system in SYSTEMS:
        found = [each for each in results.drains if each.system == system.name]
        if not found:
            continue
        rates = sorted(each.per_second for each in found)
        ratio = median(rates) / results.rate(STOCK, system.concurrency)
        rows.append(
            [
                system.title,
                system.concurrency,
                found[0].runs,
                f"{median(rates):,.0f}",
                f"{rates[0]:,.0f} to {rates[-1]:,.0f}",
                f"{ratio:.1f}×",
                f"{median(each.cpu_ms for each in found):.2f}",
                sum(each.doubled for each in found),
            ]
        )
    head = ["system", "slots", "runs", "runs/s", "range", "to stock", "CPU ms a run", "started twice"]
    return _table("Drain of no-op runs", head, rows)


def _latencies(results: Results) -> str:
    rows = [
        [each.system, each.start.p50, each.start.p99, each.late.p50, each.late.p99, each.late.max, each.early]
        for each in results.latencies
    ]
    head = ["system", "start p50 ms", "start p99 ms", "late p50 ms", "late p99 ms", "late max ms", "early"]
    return _table("Enqueue to start on an idle worker, and lateness of runs scheduled 2 s ahead", head, rows)


def _idles(results: Results) -> str:
    rows = [[each.system, each.tasks, each.client_per_s, each.all_per_s] for each in results.idles]
    return _table("Idle Redis commands a second", ["system", "tasks", "sent", "with those inside scripts"], rows)


def _aims(results: Results) -> str:
    rate, p50 = results.rate, results.start_p50
    aims = [
        ("no ledger, 100 slots: at least 3× stock", rate(ENGINE, 100) / rate(STOCK, 100), 3.0, True),
        ("no ledger, 10 slots: at least 25× stock", rate(ENGINE, 10) / rate(STOCK, 10), 25.0, True),
        ("PostgreSQL ledger, 100 slots: at least 2× stock", rate(POSTGRESQL, 100) / rate(STOCK, 100), 2.0, True),
        ("PostgreSQL ledger, start p50: at most 1.5× stock", p50(POSTGRESQL) / p50(STOCK), 1.5, False),
        ("SQLite ledger, start p50: at most 1.5× stock", p50(SQLITE) / p50(STOCK), 1.5, False),
        ("idle with 40 tasks: at most 5 commands/s", results.idle_rate(POSTGRESQL, 40), IDLE_AIM, False),
    ]
    rows = [
        [text, f"{value:.2f}", "hit" if (value >= aim) == at_least or value == aim else "missed"]
        for text, value, aim, at_least in aims
    ]
    return _table("Aims", ["aim", "measured", ""], rows)
