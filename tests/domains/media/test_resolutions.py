"""Flags are settled by what a labeler says, and by nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from backend.adapters.labeler import Label
from backend.db.models.federation import PdsRecord
from backend.db.models.media import CopyrightScan
from backend.db.session import Database, unit_of_work
from backend.domains.media.resolutions import VALUE, Synced, stands, sync_resolutions
from backend.domains.media.upload import Upload
from backend.errors import Unavailable
from backend.storage import Storage
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import upload
from tests.doubles import Services
from tests.doubles import services as services

DID = "did:plc:artist"
START = datetime.now(UTC) + timedelta(minutes=10)  # later than every upload
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def flagged(tmp_path: Path, rkey: str = "3aaaaaaaaaaaa", finding: str = "flagged") -> tuple[Upload, str]:
    made = await upload(audio.tone(tmp_path / f"{rkey}.wav", 0.1))
    place = {"did": DID, "collection": "fm.example.track", "rkey": rkey}
    async with unit_of_work() as unit:
        unit.session.add(CopyrightScan(track_version_id=made.version_id, track_id=made.track_id, finding=finding))
        unit.session.add(PdsRecord(kind="track", subject=made.track_id, wanted={}, **place))
    return made, f"at://{DID}/fm.example.track/{rkey}"


async def state(services: Services, uri: str, hours: int = 0, **label: object) -> None:
    moment = (START + timedelta(hours=hours)).isoformat()
    async with httpx.AsyncClient() as client:
        await client.post(f"{services.labeler_url}/labels", json={"uri": uri, "val": VALUE, "cts": moment, **label})


async def resolved(database: Database, made: Upload) -> bool:
    async with database.reading() as session:
        scan = await session.get_one(CopyrightScan, made.version_id)
    return scan.resolved_at is not None


async def test_a_label_that_is_taken_back_settles_the_flag(
    database: Database, store: Storage, services: Services, tmp_path: Path
) -> None:
    made, uri = await flagged(tmp_path)
    other, _ = await flagged(tmp_path, "3bbbbbbbbbbbb")
    await state(services, uri)
    assert await sync_resolutions() == Synced(asked=2)
    await state(services, uri, hours=1, neg=True)
    assert await sync_resolutions() == Synced(asked=2, resolved=1)
    assert await sync_resolutions() == Synced(asked=2)
    assert [await resolved(database, each) for each in (made, other)] == [True, False]
    await state(services, uri, hours=2)  # said again: a flag that was settled once can be raised
    assert await sync_resolutions() == Synced(asked=2, raised=1)
    assert not await resolved(database, made)


async def test_what_was_said_before_an_upload_is_not_about_it(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path
) -> None:
    made, uri = await flagged(tmp_path)
    await state(services, uri, hours=-2, neg=True)
    assert await sync_resolutions() == Synced(asked=1)
    assert not await resolved(sqlite_database, made)


async def test_an_outage_resolves_nothing(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path
) -> None:
    made, _ = await flagged(tmp_path)
    services.labeler.answer_next(500, "oops")
    with pytest.raises(Unavailable):
        await sync_resolutions()
    services.labeler.answer_next(200, {"labels": []})
    assert await sync_resolutions() == Synced(asked=1)
    assert not await resolved(sqlite_database, made)


async def test_only_sources_that_count_are_heard(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, uri = await flagged(tmp_path)
    await state(services, uri, neg=True, src="did:plc:stranger")
    set_environment(monkeypatch, LABELER_DIDS="did:plc:ours")
    assert await sync_resolutions() == Synced(asked=1)
    await state(services, uri, neg=True, src="did:plc:ours")
    assert await sync_resolutions() == Synced(asked=1, resolved=1)
    assert await resolved(sqlite_database, made)


async def test_without_flags_or_labeler_nobody_is_asked(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await flagged(tmp_path, finding="clear")
    assert await sync_resolutions() == Synced()
    await flagged(tmp_path, "3bbbbbbbbbbbb")
    set_environment(monkeypatch, LABELER_URL=None)
    assert await sync_resolutions() == Synced()
    assert not services.labeler.asked


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], {}),
        ([("a", 0, {})], {"u": True}),
        ([("a", 0, {}), ("a", 1, {"neg": True})], {"u": False}),
        ([("a", 1, {"neg": True}), ("a", 0, {})], {"u": False}),
        ([("a", 0, {"neg": True}), ("b", 0, {})], {"u": True}),
        ([("a", 0, {"neg": True}), ("b", 0, {"neg": True})], {"u": False}),
        ([("a", 0, {"exp": LONG_AGO})], {}),
        ([("a", 0, {}), ("a", 1, {"neg": True, "exp": LONG_AGO})], {}),
        ([("a", 0, {"val": "spam"})], {}),
    ],
)
def test_what_stands(said: list[tuple[str, int, dict[str, object]]], expected: dict[str, bool]) -> None:
    labels = [Label(src, "u", **{"val": VALUE, "cts": START + timedelta(hours=at), **rest}) for src, at, rest in said]  # type: ignore[arg-type]
    assert stands(labels) == expected
