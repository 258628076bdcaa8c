"""What the end of an attempt makes of a version."""

import asyncio
from pathlib import Path

import pytest

from backend.db.models.media import VersionStatus
from backend.db.session import Database
from backend.domains.media.versions import RETRY, STOPPED, Making, find_original, move
from backend.errors import Conflict, InvalidInput, NotFound, Unavailable
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import Temporary, as_attempt, upload, version_of


async def test_an_unknown_version_is_not_found(sqlite_database: Database) -> None:
    with pytest.raises(NotFound, match="no version nope"):
        await find_original("nope")


async def test_an_original_opens_under_a_name_of_ours(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.1)
    made = await upload(file.rename(tmp_path / "my 'song'; rm -rf.wav"))
    original = await find_original(made.version_id)
    async with original.open() as copy:
        assert copy.name == "original.wav"
        assert await asyncio.to_thread(copy.read_bytes) == await store.read(original.key)
    assert temporary.left() == []


async def test_before_ingest_nothing_is_measured(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    with pytest.raises(Conflict, match="run ingest_upload first"):
        (await find_original(made.version_id)).measured()


def test_s16_three_attempts_have_two_pauses() -> None:
    pauses = [RETRY.delay(attempt, chance=lambda: 0.0).total_seconds() for attempt in range(1, RETRY.attempts)]
    assert pauses == [5.0, 10.0]


@pytest.mark.parametrize(
    ("attempt", "error", "status"),
    [
        (1, Unavailable("away"), VersionStatus.PENDING),
        (2, Unavailable("away"), VersionStatus.PENDING),
        (3, Unavailable("away"), VersionStatus.FAILED),
        (1, InvalidInput("away"), VersionStatus.FAILED),  # permanent: no other attempt follows
        (1, KeyError("away"), VersionStatus.PENDING),
        (3, KeyError("away"), VersionStatus.FAILED),
    ],
)
async def test_s12_failed_comes_after_the_last_attempt_only(
    sqlite_database: Database, store: Storage, tmp_path: Path, attempt: int, error: Exception, status: VersionStatus
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))

    async def work() -> None:
        async with Making(made.version_id):
            assert (await version_of(made)).status == VersionStatus.PROCESSING
            raise error

    with pytest.raises(type(error)):
        await as_attempt(attempt, work)
    version = await version_of(made)
    assert version.status == status
    assert version.error
    assert "away" in version.error


async def test_s12_a_retry_is_processing_again(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    for before in (VersionStatus.PENDING, VersionStatus.FAILED):
        await move(made.version_id, before, "an old error")
        async with Making(made.version_id):
            version = await version_of(made)
            assert (version.status, version.error) == (VersionStatus.PROCESSING, None)


async def test_s12_ready_stays_ready(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    await move(made.version_id, VersionStatus.READY)

    async def work() -> None:
        async with Making(made.version_id):
            assert (await version_of(made)).status == VersionStatus.READY
            raise InvalidInput("broken")

    with pytest.raises(InvalidInput):
        await as_attempt(3, work)
    version = await version_of(made)
    assert (version.status, version.error) == (VersionStatus.READY, None)


@pytest.mark.parametrize(("attempt", "status"), [(1, VersionStatus.PENDING), (3, VersionStatus.FAILED)])
async def test_a_stopped_run_leaves_no_version_processing(
    sqlite_database: Database, store: Storage, tmp_path: Path, attempt: int, status: VersionStatus
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    inside = asyncio.Event()

    async def work() -> None:
        async with Making(made.version_id):
            inside.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(as_attempt(attempt, work))
    await inside.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(200):  # as_attempt runs the work in a task of its own
        if (version := await version_of(made)).status != VersionStatus.PROCESSING:
            break
        await asyncio.sleep(0.01)
    assert (version.status, version.error) == (status, STOPPED)


async def test_outside_of_the_runner_there_is_one_attempt(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))

    async def work() -> None:
        async with Making(made.version_id):
            raise Unavailable("away")

    with pytest.raises(Unavailable):
        await work()
    assert (await version_of(made)).status == VersionStatus.FAILED
