"""Rows of the ledger, written as they are wanted."""

from datetime import datetime, timedelta
from typing import Any

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Attempt, Run
from backend.db.session import unit_of_work


async def add_run(**values: Any) -> str:
    """A run with these values. Gives its id."""
    row = Run(**({"id": new_id(), "task": "measure", "queue": "media", "args": {}, "state": "waiting"} | values))
    async with unit_of_work() as unit:
        unit.session.add(row)
    return row.id


async def add_attempt(run_id: str, began: datetime | None = None, **values: Any) -> None:
    """An attempt of that run which ended after a second."""
    began = began or now()
    given = {"number": 1, "worker": "w", "ended_at": began + timedelta(seconds=1), "outcome": "failed"} | values
    async with unit_of_work() as unit:
        unit.session.add(Attempt(run_id=run_id, started_at=began, **given))
