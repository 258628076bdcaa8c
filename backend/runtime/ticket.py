"""What travels from the ledger to a worker: enough of a run to start it without reading the database."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ticket:
    """One hand-over of one run. `handover` and `starts` fence what is outdated."""

    run_id: str
    task: str
    args: dict[str, Any]
    handover: int
    starts: int  # starts before this hand-over
    attempt: int  # attempts counted before this hand-over
    crashes: int = 0
    trace: str | None = None  # W3C traceparent of the request that asked for the run
    handed_at: float | None = None  # seconds since 1970; None when it is not the first delivery

    @property
    def key(self) -> str:
        """The name under which the engine knows this hand-over."""
        return f"{self.run_id}:{self.handover}"

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Ticket":
        """The inverse of `to_json`. What other versions of the code added is left out. Raises TypeError for anything else."""
        if not isinstance(data, dict):
            raise TypeError("a ticket is a JSON object")
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
