"""What this process has executed, as counters. They are this process's own, and each end of a run is counted once.

An end counts when the ledger took it, and it takes one from one process: the sum over all processes is right.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client import disable_created_metrics as _without_created

from backend.db.models.runs import TERMINAL, Outcome, State
from backend.runtime.registry import QUEUES, registry
from backend.runtime.ticket import Ticket

_without_created()  # a second series for each, with the moment of its first count

REGISTRY = CollectorRegistry()
STATUS = {
    State.SUCCEEDED: "success",
    State.DEAD: "failed",
    State.CANCELLED: "cancelled",
    State.INTERRUPTED: "interrupted",
}
UNKNOWN = "unknown"  # the queue of a task that nobody here declares
LAGS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

PROCESSED = Counter("worker_jobs_processed_total", "Runs that ended here.", ["queue", "status"], registry=REGISTRY)
DURATION = Histogram(
    "worker_job_duration_seconds",
    "How long the last attempt of each succeeded run took.",
    ["queue"],
    buckets=(1, 5, 10, 30, 60, 120, 300),
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "backline_attempts_total", "Attempts that ended here.", ["queue", "task", "outcome"], registry=REGISTRY
)
RETRIES = Counter(
    "backline_retries_total", "Failed attempts after which the run tries again.", ["queue", "task"], registry=REGISTRY
)
DEAD = Counter("backline_dead_total", "Runs that died of their error here.", ["queue", "task"], registry=REGISTRY)
LOST = Counter("backline_lost_attempts_total", "Attempts whose worker died, found by this process.", registry=REGISTRY)
HANDOVER_LAG = Histogram(
    "backline_handover_lag_seconds",
    "From the hand-over of a run to its start here.",
    ["queue"],
    buckets=LAGS_S,
    registry=REGISTRY,
)
# CPU, memory and open files of the process, and its Python.
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

for _queue in QUEUES:  # so that the first failure is an increase, and not a new series
    DURATION.labels(_queue)
    HANDOVER_LAG.labels(_queue)
    for _status in STATUS.values():
        PROCESSED.labels(_queue, _status)


def began(ticket: Ticket) -> None:
    """An attempt begins. The lag includes what the clocks of two machines differ by."""
    if ticket.handed_at is not None:
        HANDOVER_LAG.labels(_queue_of(ticket.task)).observe(max(time.time() - ticket.handed_at, 0.0))


def ended(task: str, outcome: Outcome, reached: str, spent_s: float) -> None:
    """An attempt ended, which took `spent_s`, and has brought its run to the state `reached`."""
    queue, name = _queue_of(task), task if task in registry else UNKNOWN
    ATTEMPTS.labels(queue, name, outcome).inc()
    if reached in TERMINAL:
        PROCESSED.labels(queue, STATUS[State(reached)]).inc()
    if reached == State.SUCCEEDED:
        DURATION.labels(queue).observe(spent_s)
    elif reached == State.DEAD:
        DEAD.labels(queue, name).inc()
    elif reached == State.SCHEDULED and outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        RETRIES.labels(queue, name).inc()


def _queue_of(task: str) -> str:
    spec = registry.get(task)
    return spec.queue if spec else UNKNOWN
