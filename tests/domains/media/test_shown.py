"""Which version a track shows: the first from the start, a later one when it is ready."""

from pathlib import Path

import pytest

from backend.db.ids import new_id
from backend.db.models.media import Track, TrackVersion, VersionStatus
from backend.db.session import Database, unit_of_work
from backend.domains.media.shown import find_shown, show, show_when_ready
from backend.domains.media.versions import move
from backend.errors import NotFound
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import upload, version_of


async def shown(database: Database, track_id: str) -> str:
    async with database.reading() as session:
        return (await find_shown(session, track_id))[1].id


async def another(track_id: str, like: TrackVersion) -> str:
    """A version more, that the track waits for."""
    version_id = new_id()
    async with unit_of_work() as unit:
        unit.session.add(TrackVersion(id=version_id, track_id=track_id, original_asset_id=like.original_asset_id))
        await unit.session.flush()
        await show_when_ready(unit, track_id, version_id)
    return version_id


async def test_the_first_is_shown_from_the_start_and_the_next_when_it_is_ready(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    assert await shown(database, made.track_id) == made.version_id
    second = await another(made.track_id, await version_of(made))
    for status in (VersionStatus.PROCESSING, VersionStatus.FAILED):
        await move(second, status)
        assert await shown(database, made.track_id) == made.version_id
    await move(second, VersionStatus.READY)
    assert await shown(database, made.track_id) == second


async def test_of_two_that_are_made_at_once_the_later_one_is_shown_whichever_is_ready_first(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    second, third = [await another(made.track_id, await version_of(made)) for _ in range(2)]
    for ready in (third, second):
        await move(ready, VersionStatus.READY)
        assert await shown(sqlite_database, made.track_id) == third


async def test_a_version_that_is_made_again_does_not_come_back(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    second = await another(made.track_id, await version_of(made))
    await move(second, VersionStatus.READY)
    async with unit_of_work() as unit:
        await show(unit, made.track_id, made.version_id)
    await move(second, VersionStatus.READY)
    assert await shown(sqlite_database, made.track_id) == made.version_id


async def test_a_choice_ends_the_waiting(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    second = await another(made.track_id, await version_of(made))
    async with unit_of_work() as unit:
        await show(unit, made.track_id, made.version_id)
    await move(second, VersionStatus.READY)
    assert await shown(sqlite_database, made.track_id) == made.version_id


async def test_what_is_not_there_is_not_found(sqlite_database: Database) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Track(id="empty", title="no version"))
    for track_id in ("nope", "empty"):
        with pytest.raises(NotFound, match=f"no track {track_id}"):
            await shown(sqlite_database, track_id)
