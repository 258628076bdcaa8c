"""A ledger without a crew: runs that are claimed by hand."""

from collections.abc import Awaitable, Callable

import pytest

from backend.db.base import now
from backend.db.session import Database
from backend.runtime import enqueue, task
from backend.runtime.ledger.claim import claim
from backend.runtime.ticket import Ticket

Claim = Callable[[], Awaitable[Ticket]]


@pytest.fixture
def claim_one(database: Database) -> Claim:
    """Enqueues a run and hands it over to nobody. Called with a run's id, it hands that over once more."""

    @task(queue="media")
    async def measure() -> None: ...

    async def claim_one(run_id: str | None = None) -> Ticket:
        run_id = run_id or (await enqueue(measure)).id
        async with database.unit() as unit:
            (ticket,) = await claim(unit, [run_id], None, now())
        return ticket

    return claim_one  # type: ignore[return-value]
