"""How runs belong together: what caused a run, what followed it, and what else the same request asked for."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from backend.db.models.runs import Run
from backend.db.session import database
from backend.runtime.views import RunView

DEPTH = 20
MOST = 50
# A run that follows another is younger, and not by more than this.
WITHIN = timedelta(days=1)
TRACE_LENGTH = len("00-") + 32


@dataclass(frozen=True)
class Chain:
    """`causes` lead to the run, the first one first; `followed` came after it; `same_trace` are others of its trace."""

    causes: list[RunView]
    followed: list[RunView]
    same_trace: list[RunView]


async def chain_of(run: RunView) -> Chain:
    """What belongs to a run. Ids ascend with time, so only a stretch of the ledger is looked at."""
    async with database().reading() as session:
        causes, before = [], run.cause
        while before and len(causes) < DEPTH and (row := await session.get(Run, before)):
            causes.insert(0, RunView.of(row))
            before = row.cause
        after = _id_at(run.id, WITHIN)
        followed = select(Run).where(Run.cause == run.id, Run.id > run.id, Run.id < after).order_by(Run.id).limit(MOST)
        rows = (await session.scalars(followed)).all()
        others = []
        if run.trace:
            same = select(Run).where(
                Run.id > _id_at(run.id, -WITHIN), Run.id < after, Run.id != run.id,
                Run.trace.startswith(run.trace[:TRACE_LENGTH], autoescape=True),
            )  # fmt: skip
            others = (await session.scalars(same.order_by(Run.id).limit(MOST))).all()
    known = {each.id for each in causes} | {row.id for row in rows}
    return Chain(causes, [RunView.of(row) for row in rows], [RunView.of(row) for row in others if row.id not in known])


def _id_at(run_id: str, later: timedelta) -> str:
    """An id like one that is made so much later: its first 48 bits are milliseconds."""
    number = (UUID(run_id).int >> 80) + int(later.total_seconds() * 1000)
    return str(UUID(int=number << 80))
