"""Reports over HTTP: what an admin should look at, and their decision."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.caller import Caller, SignedIn
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.report_examples import REPORT, REPORT_PAGE
from backend.domains.federation.sign_ins import Role
from backend.domains.media import reports
from backend.domains.media.reports import ReportStatus, ReportView
from backend.runtime.audit import acting

router = APIRouter(prefix="/reports", tags=["reports"])

ReportId = Annotated[str, Path(description="The report's id.", examples=[REPORT["id"]])]


class ReportQuery(BaseModel):
    """What is asked for in the query."""

    model_config = ConfigDict(extra="forbid")

    status: ReportStatus | None = Field(None, description="Only those that stand there.")
    cursor: Cursor = None
    limit: int = Field(25, ge=1, le=200, description="Reports on one page.")


class ReportPage(BaseModel):
    """Some reports, newest first."""

    items: list[ReportView]
    next: str | None = Field(description="Path of the next page; null on the last one.")


@router.get("", summary="List reports", responses={200: examples.shown(REPORT_PAGE)} | problems(401, 403, 422, 503))
async def list_reports(request: Request, caller: SignedIn, query: Annotated[ReportQuery, Query()]) -> ReportPage:
    """What was reported, newest first. Follow `next` for more. For admins."""
    caller.must_be(Role.ADMIN)
    found = await reports.list_reports(query.status, query.limit + 1, query.cursor)
    items, following = page(request, found, query.limit)
    return ReportPage(items=items, next=following)


@router.get(
    "/{report_id}", summary="Show a report", responses={200: examples.shown(REPORT)} | problems(401, 403, 404, 503)
)
async def show_report(report_id: ReportId, caller: SignedIn) -> ReportView:
    """What was reported, and what came of it. For admins."""
    caller.must_be(Role.ADMIN)
    return await reports.find_report(report_id)


@router.post(
    "/{report_id}/resolve",
    summary="Resolve a report",
    responses={200: examples.shown(REPORT)} | problems(401, 403, 404, 409, 503),
)
async def resolve_report(report_id: ReportId, caller: SignedIn) -> ReportView:
    """Say that it was right and is dealt with. The same again changes nothing. For admins."""
    return await _decide(report_id, ReportStatus.RESOLVED, caller)


@router.post(
    "/{report_id}/dismiss",
    summary="Dismiss a report",
    responses={200: examples.shown(REPORT)} | problems(401, 403, 404, 409, 503),
)
async def dismiss_report(report_id: ReportId, caller: SignedIn) -> ReportView:
    """Say that it was wrong or does not matter. The same again changes nothing. For admins."""
    return await _decide(report_id, ReportStatus.DISMISSED, caller)


async def _decide(report_id: str, status: ReportStatus, caller: Caller) -> ReportView:
    caller.must_be(Role.ADMIN)
    with acting(caller.did, "api"):
        return await reports.decide(report_id, status, caller.did)
