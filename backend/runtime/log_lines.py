"""Log lines across runs: what the newest attempts logged, filtered."""

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from backend.db.models.runs import Attempt, Run
from backend.db.session import database

ATTEMPTS = 200
MOST = 300


@dataclass(frozen=True)
class LogLine:
    """One line, and the attempt it was logged in. `at` is ISO 8601, and empty for a line that says what was cut."""

    at: str
    level: str
    logger: str
    message: str
    task: str
    run_id: str
    attempt: int


async def recent_lines(level: str | None = None, task: str | None = None, text: str | None = None) -> list[LogLine]:
    """Lines of the newest ATTEMPTS attempts that have ended, newest first, at most MOST of them.

    `level` is the lowest one wanted. `text` is in the message or in the logger's name, whatever its case.
    """
    wanted = (
        select(Attempt, Run.task).join(Run, Run.id == Attempt.run_id).where(Attempt.logs.is_not(None)).limit(ATTEMPTS)
    )
    if task:
        wanted = wanted.where(Run.task == task).order_by(Run.id.desc(), Attempt.number.desc())
    else:
        wanted = wanted.order_by(Attempt.started_at.desc())
    async with database().reading() as session:
        rows = (await session.execute(wanted)).all()
    least, part = logging.getLevelNamesMapping().get(level or "", 0), (text or "").casefold()
    lines = [
        _line(line, name, attempt)
        for attempt, name in rows
        for line in attempt.logs or []
        if logging.getLevelNamesMapping().get(line.get("level", ""), logging.INFO) >= least
        and (not part or part in f"{line.get('message', '')} {line.get('logger', '')}".casefold())
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:MOST]


def _line(line: dict[str, Any], task: str, attempt: Attempt) -> LogLine:
    said = (str(line.get(name, "")) for name in ("at", "level", "logger", "message"))
    return LogLine(*said, task=task, run_id=attempt.run_id, attempt=attempt.number)
