"""Runs as people see them: what the ledger holds of a run and of its attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.db.models.runs import Attempt, Run
from backend.runtime.registry import registry


@dataclass(frozen=True)
class AttemptView:
    """One start of a run."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error_type: str | None
    error: str | None
    traceback: str | None
    logs: list[Any] | None
    args: dict[str, Any] | None

    @classmethod
    def of(cls, row: Attempt) -> "AttemptView":
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class RunView:
    """A run. `progress` is {current, total, percent, message, counts, eta_s}; `attempts` are filled by `get_run`."""

    id: str
    task: str
    queue: str
    priority: int
    key: str | None
    state: str
    args: dict[str, Any]
    due_at: datetime | None
    parked_on: str | None
    attempt: int
    max_attempts: int | None
    crashes: int
    cancel_requested: bool
    worker: str | None
    progress: dict[str, Any] | None
    result: Any
    error_type: str | None
    error: str | None
    error_group: str | None
    requested_by: str | None
    cause: str | None
    trace: str | None
    revision: int
    created_at: datetime
    handed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempts: tuple[AttemptView, ...] = ()

    @classmethod
    def of(cls, row: Run, attempts: Sequence[Attempt] = ()) -> "RunView":
        """From its row, and those of its attempts."""
        spec = registry.get(row.task)
        named = set(cls.__dataclass_fields__) - {"max_attempts", "attempts"}
        return cls(
            **{name: getattr(row, name) for name in named},
            max_attempts=spec.retry.attempts if spec else None,
            attempts=tuple(AttemptView.of(attempt) for attempt in attempts),
        )
