"""Reports: what somebody should look at, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.media import Report
from backend.db.session import Unit, database, unit_of_work
from backend.errors import Conflict, NotFound
from backend.runtime.audit import note


class ReportStatus(StrEnum):
    """Where a report stands."""

    PENDING = "pending"  # nobody has decided yet
    RESOLVED = "resolved"  # it was right, and something was done
    DISMISSED = "dismissed"  # it was wrong, or it does not matter


class TargetType(StrEnum):
    """What a report is about."""

    TRACK = "track"


class Reason(StrEnum):
    """Why something is reported."""

    DUPLICATE = "duplicate"  # another artist's track has the same sound


@dataclass(frozen=True)
class Finding:
    """What is to be reported. `related_id` is the other one of a pair."""

    target_type: TargetType
    target_id: str
    reason: Reason
    description: str
    related_id: str | None = None

    @property
    def key(self) -> str:
        """The same for the same thing, whichever one of a pair is named first."""
        return ":".join([self.reason, self.target_type, *sorted(filter(None, [self.target_id, self.related_id]))])


@dataclass(frozen=True)
class ReportView:
    """A report. `decided_by` is the account that resolved or dismissed it."""

    id: str
    target_type: str
    target_id: str
    related_id: str | None
    reason: str
    description: str
    status: ReportStatus
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


async def open_report(unit: Unit, finding: Finding) -> str:
    """Open a report within this unit and give its id. What was reported before keeps its report, also a decided one."""
    make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    values = {
        "id": new_id(),
        "key": finding.key,
        "target_type": finding.target_type,
        "target_id": finding.target_id,
        "related_id": finding.related_id,
        "reason": finding.reason,
        "description": finding.description,
        "status": ReportStatus.PENDING,
        "created_at": now(),
    }
    await unit.connection.execute(make(Report).values(values).on_conflict_do_nothing(index_elements=["key"]))
    found = await unit.connection.scalar(select(Report.id).where(Report.key == finding.key))
    assert found is not None
    return found


async def find_report(report_id: str) -> ReportView:
    """One report. Raises NotFound."""
    async with database().reading() as session:
        row = await session.get(Report, report_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no report {report_id}", field="report_id")
    return _view(row)


async def list_reports(
    status: ReportStatus | None = None, limit: int = 25, before: str | None = None
) -> list[ReportView]:
    """Reports, newest first. `before` is the id of the last one of the page before."""
    wanted: Select[tuple[Report]] = select(Report).order_by(Report.id.desc()).limit(limit)
    if status is not None:
        wanted = wanted.where(Report.status == status)
    if before is not None:
        wanted = wanted.where(Report.id < before)
    async with database().reading() as session:
        return [_view(row) for row in await session.scalars(wanted)]


async def decide(report_id: str, status: ReportStatus, by: str) -> ReportView:
    """Resolve or dismiss a report. The same decision again changes nothing. Raises NotFound, and Conflict for another."""
    pending = update(Report).where(Report.id == report_id, Report.status == ReportStatus.PENDING)
    async with unit_of_work() as unit:
        decided = await unit.connection.execute(pending.values(status=status, decided_by=by, decided_at=now()))
        if decided.rowcount:
            await note(unit, f"report.{status}", report_id)
        report = await find_report(report_id)
    if report.status is not status:
        raise Conflict(f"the report is {report.status} already", field="report_id")
    return report


def _view(row: Report) -> ReportView:
    about = (row.id, row.target_type, row.target_id, row.related_id, row.reason, row.description)
    return ReportView(*about, ReportStatus(row.status), row.decided_by, row.decided_at, row.created_at)
