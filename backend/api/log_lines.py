"""The log lines of all runs as the merch desk's own clients know them: `/api/logs`."""

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from backend.api import examples
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.job_views import LINE, Line
from backend.api.problems import problems
from backend.db.base import now
from backend.runtime.history import LogFilter, count_lines, forget_logs, list_lines

router = APIRouter(prefix="/api/logs", tags=["scheduled jobs"], dependencies=[LOOKS])

EXPORTED = 10_000


class LogStats(BaseModel):
    """How many lines there are."""

    total: int
    by_level: dict[str, int]


class Cleaned(BaseModel):
    """From how many attempts the lines were taken."""

    deleted: int


@router.get("", summary="List log lines", responses={200: examples.shown([LINE])} | problems(*REFUSED, 422, 503))
async def list_logs(
    job_id: Annotated[str | None, Query(max_length=36, description="The start of a run's id.")] = None,
    job_type: Annotated[str | None, Query(max_length=200)] = None,
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Line]:
    """Lines of attempts that ended, newest first."""
    return [Line(**line) for line in await list_lines(LogFilter(job_id, job_type, level), limit, offset)]


@router.get(
    "/stats",
    summary="Count log lines",
    responses={200: examples.shown({"total": 14, "by_level": {"INFO": 12, "ERROR": 2}})} | problems(*REFUSED, 503),
)
async def log_stats() -> LogStats:
    """How many lines there are, in all and at each level."""
    counts = await count_lines(LogFilter())
    return LogStats(total=sum(counts.values()), by_level=counts)


@router.get(
    "/export",
    summary="Export log lines",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, "application/json": {"example": [LINE]}}}}
    | problems(*REFUSED, 422, 503),
)
async def export_logs(format: Literal["json", "csv"] = "json") -> Response:
    """The newest 10,000 lines as one file."""
    lines = [Line(**line).model_dump(mode="json") for line in await list_lines(LogFilter(), EXPORTED)]
    content = await asyncio.to_thread(_as_csv, lines) if format == "csv" else json.dumps(lines)
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/json"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="logs.{format}"'})


@router.post(
    "/cleanup",
    summary="Forget old log lines",
    dependencies=[ACTS],
    responses={200: examples.shown({"deleted": 40})} | problems(*REFUSED, 422, 503),
)
async def cleanup_logs(days: Annotated[int, Query(ge=1, le=3650)] = 30) -> Cleaned:
    """Take the lines from attempts that ended longer ago than this. The attempts stay."""
    return Cleaned(deleted=await forget_logs(now() - timedelta(days=days)))


def _as_csv(lines: Sequence[dict[str, Any]]) -> str:
    written = io.StringIO()
    table = csv.DictWriter(written, fieldnames=list(Line.model_fields))
    table.writeheader()
    table.writerows(lines)
    return written.getvalue()
