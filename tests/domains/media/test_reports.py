"""Reports are opened once, listed in pages, and decided once."""

import asyncio

import pytest

from backend.db.session import Database, unit_of_work
from backend.domains.media.reports import (
    Finding,
    Reason,
    ReportStatus,
    TargetType,
    decide,
    find_report,
    list_reports,
    open_report,
)
from backend.errors import Conflict, NotFound


def finding(target: str, related: str | None = None) -> Finding:
    """One track that sounds like another."""
    return Finding(TargetType.TRACK, target, Reason.DUPLICATE, f"{target} sounds like {related}", related)


async def opened(what: Finding) -> str:
    async with unit_of_work() as unit:
        return await open_report(unit, what)


async def test_s39_a_pair_has_one_report_whoever_is_named_first(database: Database) -> None:
    ids = await asyncio.gather(*(opened(finding(*pair)) for pair in [("a", "b"), ("b", "a")] * 5))
    assert len(set(ids)) == 1
    assert await opened(finding("a", "c")) not in ids


async def test_a_decision_stands(database: Database) -> None:
    report_id = await opened(finding("a", "b"))
    report = await find_report(report_id)
    assert (report.status, report.decided_by, report.decided_at) == ("pending", None, None)
    decided = await decide(report_id, ReportStatus.DISMISSED, "did:plc:anna")
    assert (decided.status, decided.decided_by) == ("dismissed", "did:plc:anna")
    assert await decide(report_id, ReportStatus.DISMISSED, "did:plc:bert") == decided
    with pytest.raises(Conflict, match="dismissed already"):
        await decide(report_id, ReportStatus.RESOLVED, "did:plc:bert")
    assert await opened(finding("b", "a")) == report_id
    assert await find_report(report_id) == decided


async def test_they_are_listed_newest_first_and_by_status(database: Database) -> None:
    ids = [await opened(finding(str(number))) for number in range(5)]
    await decide(ids[1], ReportStatus.RESOLVED, "did:plc:anna")
    assert [each.id for each in await list_reports()] == ids[::-1]
    assert [each.id for each in await list_reports(limit=2, before=ids[3])] == [ids[2], ids[1]]
    assert [each.id for each in await list_reports(ReportStatus.RESOLVED)] == [ids[1]]
    assert len(await list_reports(ReportStatus.PENDING)) == 4


async def test_one_that_is_not_there(sqlite_database: Database) -> None:
    with pytest.raises(NotFound):
        await find_report("none")
    with pytest.raises(NotFound):
        await decide("none", ReportStatus.RESOLVED, "did:plc:anna")
