"""The log lines of attempts that ended, across all runs: found and counted in the database, and forgotten."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Float, String, column, func, select, table

from backend.db.models.runs import Attempt
from backend.db.session import database, unit_of_work

LINES = table(
    "scheduler_logs",
    column("log_id", String),
    column("job_id", String),
    column("job_type", String),
    column("level", String),
    column("message", String),
    column("timestamp", DateTime),
    column("duration_seconds", Float),
    column("status", String),
    column("error_text", String),
)


@dataclass(frozen=True)
class LogFilter:
    """Which lines. `job_id` is the start of a run's id. Everything given must hold."""

    job_id: str | None = None
    job_type: str | None = None
    level: str | None = None

    def conditions(self) -> list[Any]:
        """As SQL."""
        found: list[Any] = []
        if self.job_id:
            found.append(LINES.c.job_id.startswith(self.job_id, autoescape=True))
        if self.job_type:
            found.append(LINES.c.job_type == self.job_type)
        if self.level:
            found.append(LINES.c.level == self.level)
        return found


async def list_lines(where: LogFilter, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Log lines of attempts that ended, newest first: the columns of the view `scheduler_logs`."""
    newest = (LINES.c.timestamp.desc(), LINES.c.log_id.desc())
    statement = select(*LINES.c).where(*where.conditions()).order_by(*newest).limit(limit).offset(offset)
    async with database().reading() as session:
        lines = [dict(row._mapping) for row in (await session.execute(statement)).all()]
    # SQLite keeps moments without their zone.
    return [line | {"timestamp": line["timestamp"].replace(tzinfo=UTC)} for line in lines]


async def count_lines(where: LogFilter) -> dict[str, int]:
    """How many such lines there are at each level."""
    statement = select(LINES.c.level, func.count()).where(*where.conditions()).group_by(LINES.c.level)
    async with database().reading() as session:
        return {str(row[0]): row[1] for row in (await session.execute(statement)).all()}


async def forget_logs(before: datetime) -> int:
    """Take the log lines from attempts that ended before this. The attempts stay. Returns of how many."""
    async with unit_of_work() as unit:
        old = Attempt.__table__.update().where(Attempt.ended_at < before, Attempt.logs.is_not(None)).values(logs=None)
        return (await unit.connection.execute(old)).rowcount
