"""What a scrape answers: this process's own figures, and those of the whole cluster, which the ledger knows.

`backline_cluster_…` is the same at every process: take it once, with `max`. All else is the process's own: add it up.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import case, func, select
from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.models.runs import ACTIVE, Run, State
from backend.db.session import Database, database
from backend.errors import Unavailable
from backend.runtime.registry import QUEUES
from backend.runtime.runner import Runner, current_runner
from backend.runtime.tally import REGISTRY

logger = logging.getLogger(__name__)

KEPT_S = 5.0  # scrapes within this time share one look into the ledger
PATIENCE_S = 2.0
PARKED = "parked"
_SHOWN = (*map(str, ACTIVE), PARKED, str(State.DEAD))

Labels = tuple[str, ...]


@dataclass
class Backlog:
    """What the ledger says of all queues, and since when the run waits that waits longest."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    oldest_s: dict[str, float] = field(default_factory=dict)


class _Ledger:
    """Looks into one database, at most once in `KEPT_S`."""

    def __init__(self, looked_at: Database) -> None:
        self.database = looked_at
        self._lock = asyncio.Lock()
        self._known: Backlog | None = None
        self._at = float("-inf")

    async def backlog(self) -> Backlog | None:
        """What it says, or None when it does not answer."""
        async with self._lock:
            if time.monotonic() - self._at > KEPT_S:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        self._known = await _read_backlog(self.database)
                except (SQLAlchemyError, OSError, TimeoutError, Unavailable) as error:
                    logger.warning("a scrape goes without the ledger: %s", type(error).__name__)
                    self._known = None
                self._at = time.monotonic()
            return self._known


_ledger: _Ledger | None = None


async def _read_backlog(looked_at: Database) -> Backlog:
    # Only what has not ended, and what is dead: `ix_runs_state_id` finds those among millions that have. A run that
    # waits was changed last when it began to wait: enqueued, due again, requeued.
    state = case((Run.parked_on.is_not(None), PARKED), else_=Run.state)
    statement = (
        select(Run.queue, state, func.count(), func.min(Run.updated_at))
        .where(Run.state.in_([*ACTIVE, State.DEAD]))
        .group_by(Run.queue, state)
    )
    async with looked_at.reading() as session:
        rows = (await session.execute(statement)).all()
    found, moment = Backlog(), now()
    for queue, reached, count, since in rows:
        found.counts[queue, reached] = count
        if reached == State.WAITING and since is not None:
            found.oldest_s[queue] = max((moment - since).total_seconds(), 0.0)
    return found


class _Scrape:
    """Everything a scrape shows, as prometheus_client's encoders take it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        yield from REGISTRY.collect()
        yield from self._families


async def scrape(accept: str = "") -> tuple[bytes, str]:
    """All metrics in the format that `accept` asks for, Prometheus' text by default. Returns the body and its type.

    Without the database the cluster's figures are missing and `backline_ledger_up` is 0.
    """
    global _ledger
    if _ledger is None or _ledger.database is not database():
        _ledger = _Ledger(database())
    backlog, runner = await _ledger.backlog(), current_runner()
    families = [
        _gauge("backline_ledger_up", "Whether the database answered.", {(): backlog is not None}),
        _gauge(
            "backline_database_pool_connections",
            "Connections to the database, by use.",
            _database_pool(_ledger.database),
            "state",
        ),
    ]
    if backlog is not None:
        families += _of_cluster(backlog)
    if runner is not None:
        families += [*_of_runner(runner), *_of_view(runner)]
    encode, content_type = choose_encoder(accept)
    return encode(_Scrape(families)), content_type  # type: ignore[arg-type]


def _gauge(name: str, meaning: str, values: dict[Labels, Any], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for given, value in values.items():
        family.add_metric(given, float(value))
    return family


def _of_cluster(backlog: Backlog) -> list[GaugeMetricFamily]:
    queues = sorted({*QUEUES, *(queue for queue, _ in backlog.counts)})
    counts = {(queue, state): backlog.counts.get((queue, state), 0) for queue in queues for state in _SHOWN}
    oldest = {(queue,): backlog.oldest_s.get(queue, 0.0) for queue in queues}
    return [
        _gauge(
            "backline_cluster_runs", "Runs in the ledger that have not ended, or are dead.", counts, "queue", "state"
        ),
        _gauge(
            "backline_cluster_oldest_waiting_seconds",
            "For how long the run waits that waits longest; 0 when none does.",
            oldest,
            "queue",
        ),
    ]


def _of_view(runner: Runner) -> list[GaugeMetricFamily]:
    # The heartbeat and the feeder keep these up to date: they cost no look into the ledger.
    paused = {(queue,): queue in runner.view.paused_queues for queue in QUEUES}
    live = {(): len(runner.heartbeat.live)}
    return [
        _gauge("backline_cluster_processes", "Processes that gave a sign of life lately.", live),
        _gauge("backline_cluster_capacity", "Runs that all workers execute at a time.", {(): runner.view.capacity}),
        _gauge("backline_cluster_queue_paused", "Whether an operator paused the queue.", paused, "queue"),
    ]


def _of_runner(runner: Runner) -> list[GaugeMetricFamily]:
    card = runner.card
    lag_s = max(card.loop_lag_ms, runner.watchdog.lag_ms) / 1000
    families = [
        _gauge(
            "backline_process_info",
            "This process.",
            {(card.name, card.kind, card.engine): 1},
            "process",
            "kind",
            "engine",
        ),
        _gauge("backline_running_runs", "Runs under way here.", {(): len(runner.executor.running)}),
        _gauge("backline_capacity", "Runs this process executes at a time.", {(): card.capacity}),
        _gauge("backline_engine_up", "Whether the engine, such as Redis, answers.", {(): runner.view.engine_up}),
        _gauge("backline_loop_lag_seconds", "Longest lag of the event loop within about two beats.", {(): lag_s}),
        _gauge(
            "backline_loop_up", "Whether a background loop lives.", {(x.name,): x.alive for x in runner.loops}, "loop"
        ),
        _gauge(
            "backline_loop_restarts",
            "How often it was started again, since it last held out for a minute.",
            {(x.name,): x.restarts for x in runner.loops},
            "loop",
        ),
    ]
    if card.capacity and card.canary_at is not None:
        age = {(): (now() - card.canary_at).total_seconds()}
        families.append(_gauge("backline_canary_age_seconds", "Since a canary run of this process came back.", age))
    if runner.docket is not None and (pool := runner.docket.pool_use()):
        values = {(state,): count for state, count in pool.items()}
        families.append(_gauge("backline_redis_pool_connections", "Connections to Redis, by use.", values, "state"))
    return families


def _database_pool(looked_at: Database) -> dict[Labels, int]:
    in_use, idle, most = looked_at.pool_use()
    return {("in_use",): in_use, ("idle",): idle, ("limit",): most}
