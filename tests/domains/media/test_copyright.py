"""A scan is clear, flagged or unknown; an outage is never clear, and the operator hears of a flag once."""

from pathlib import Path

import pytest

from backend.adapters.doubles import audd_found
from backend.db.models.federation import Account
from backend.db.models.media import CopyrightScan
from backend.db.session import Database, unit_of_work
from backend.domains.media.copyright import scan_track
from backend.domains.media.notices import flag_notice, note_told
from backend.domains.media.upload import Upload, store_upload
from backend.errors import BadAnswer, Misconfigured, NotFound, RateLimited, Refused, Unavailable
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import sent
from tests.doubles import Services
from tests.doubles import services as services

FLAG = audd_found(("Somebody Else", "Their Song"), ("Somebody Else", "Their Song"))
DID = "did:plc:artist"


async def uploaded(tmp_path: Path, artist: str | None = "Nina Simone") -> Upload:
    return await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.2)), "a.wav", "Blue", artist, DID)


async def scan_of(database: Database, made: Upload) -> CopyrightScan:
    async with database.reading() as session:
        found = await session.get(CopyrightScan, made.version_id)
    assert found is not None
    return found


async def waiting_notices() -> int:
    return len([run for run in await runs.list_runs(RunFilter(), limit=100) if run.task == "send_flag_notice"])


async def test_nothing_found_is_clear(database: Database, store: Storage, services: Services, tmp_path: Path) -> None:
    made = await uploaded(tmp_path)
    assert (await scan_track(made.track_id)).finding == "clear"
    scan = await scan_of(database, made)
    assert (scan.finding, scan.matches, scan.error, scan.track_id) == ("clear", [], None, made.track_id)
    # A link of a local store is of no use to AuDD: it got the file.
    assert services.audd.asked[0]["bytes"] == (tmp_path / "a.wav").stat().st_size
    assert await waiting_notices() == 0


async def test_a_flag_is_told_once(database: Database, store: Storage, services: Services, tmp_path: Path) -> None:
    made = await uploaded(tmp_path)
    for _ in range(2):
        services.audd.answer_next(200, FLAG)
        assert (await scan_track(made.track_id, "https://cdn.example/a.wav")).finding == "flagged"
    assert services.audd.asked[0].get("url") is None  # the planned answer came first
    scan = await scan_of(database, made)
    assert (scan.dominant_artist, scan.dominant_percent, len(scan.matches or [])) == ("Somebody Else", 100.0, 2)
    assert await waiting_notices() == 1  # the second one met the first
    notice = await flag_notice(made.version_id)
    assert notice is not None
    assert (notice.id, notice.data["track_id"]) == (f"copyright.flagged:{made.version_id}", made.track_id)
    assert "Somebody Else" in notice.text
    await note_told(made.version_id)
    assert await flag_notice(made.version_id) is None
    with pytest.raises(NotFound):
        await flag_notice("0192a6b1-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, "oops", Unavailable),
        (429, {}, RateLimited),
        (200, {"status": "error", "error": {"error_code": 902, "error_message": "limit"}}, RateLimited),
        (200, {"status": "error", "error": {"error_code": 900, "error_message": "token"}}, Misconfigured),
        (200, {"status": "error", "error": {"error_code": 500, "error_message": "no audio"}}, Refused),
        (200, "<html>", BadAnswer),
    ],
)
async def test_an_outage_is_unknown_and_never_clear(
    sqlite_database: Database,
    store: Storage,
    services: Services,
    tmp_path: Path,
    status: int,
    body: object,
    kind: type[Exception],
) -> None:
    made = await uploaded(tmp_path)
    services.audd.answer_next(status, body)
    with pytest.raises(kind):
        await scan_track(made.track_id)
    scan = await scan_of(sqlite_database, made)
    assert scan.finding == "unknown"
    assert scan.error
    assert (await scan_track(made.track_id)).finding == "clear"
    assert (await scan_of(sqlite_database, made)).error is None


async def test_an_outage_does_not_undo_a_verdict(
    database: Database, store: Storage, services: Services, tmp_path: Path
) -> None:
    made = await uploaded(tmp_path)
    services.audd.answer_next(200, FLAG)
    await scan_track(made.track_id)
    services.audd.answer_next(500, "oops")
    with pytest.raises(Unavailable):
        await scan_track(made.track_id)
    assert (await scan_of(database, made)).finding == "flagged"


@pytest.mark.parametrize("known_by", ["artist", "handle"])
async def test_the_artists_own_release_is_theirs(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path, known_by: str
) -> None:
    made = await uploaded(tmp_path, "Somebody Else" if known_by == "artist" else None)
    if known_by == "handle":
        async with unit_of_work() as unit:
            unit.session.add(
                Account(did=DID, handle="somebody-else.example.com", pds_url="https://pds.example", state="active")
            )
    services.audd.answer_next(200, FLAG)
    verdict = await scan_track(made.track_id)
    assert (verdict.finding, verdict.own_matches) == ("clear", 2)


async def test_an_unknown_track_is_not_found(sqlite_database: Database, store: Storage, services: Services) -> None:
    with pytest.raises(NotFound):
        await scan_track("0192a6b1-0000-7000-8000-000000000000")
