"""What a worker has to say to the ledger about a run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.db.models.runs import Outcome, State


@dataclass(frozen=True)
class Started:
    """An attempt began. `number` is the run's count of starts with this one."""

    run_id: str
    handover: int
    number: int
    attempt: int
    worker: str
    at: datetime


@dataclass(frozen=True)
class Ended:
    """An attempt ended, and what that makes of the run."""

    run_id: str
    handover: int
    number: int
    at: datetime
    state: State
    outcome: Outcome
    attempt: int  # attempts that count, after this one
    due_at: datetime | None = None
    parked_on: str | None = None
    result: Any = None
    progress: dict[str, object] | None = None
    error_type: str | None = None
    error: str | None = None
    error_group: str | None = None
    traceback: str | None = None
    logs: list[object] | None = None


@dataclass(frozen=True)
class Progressed:
    """How far a running attempt is."""

    run_id: str
    number: int
    progress: dict[str, object]


Entry = Started | Ended | Progressed
