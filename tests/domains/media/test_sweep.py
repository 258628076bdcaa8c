"""What nobody refers to is swept after its time of grace; what anybody refers to never is, whatever happens meanwhile."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from backend._internal.background_tasks import find_rooms
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.media import Asset, Export, Track, TrackVersion, UnreferencedObject
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.media.access import Person
from backend.domains.media.formats import StreamFormat
from backend.domains.media.history import remove_track
from backend.domains.media.ingest import inspect_original
from backend.domains.media.rows import record_asset
from backend.domains.media.sweep import Swept, remove_unreferenced, sweep, sweep_objects
from backend.domains.media.transcode import schedule_transcode, transcode_version
from backend.domains.media.upload import Upload, store_upload
from backend.domains.media.waveform import draw_waveform
from backend.runtime import registry
from backend.runtime.runs import cancel_run
from backend.settings.media import MediaSettings
from backend.storage import Bucket, ObjectKey, Storage, export_key, memory_storage, original_key, use_storage
from tests import audio
from tests.domains.media.conftest import sent

ALICE = Person("did:plc:alice")
GRACE = timedelta(hours=48)
HOUR = timedelta(hours=1)


async def track(tmp_path: Path, name: str = "a.wav") -> Upload:
    return await store_upload(sent(audio.tone(tmp_path / name, 0.2)), name, artist_did=ALICE.did)


async def objects(store: Storage) -> set[str]:
    return {str(info.key) for bucket in Bucket async for info in store.list(bucket)}


async def put(store: Storage, key: ObjectKey, with_row: bool = False) -> ObjectKey:
    await store.put(key, b"something")
    if with_row:
        async with unit_of_work() as unit:
            await record_asset(unit, key, 9)
    return key


async def twice(later: timedelta = GRACE + HOUR) -> Swept:
    """A sweep now, and one later."""
    await sweep(GRACE)
    return await sweep(GRACE, now() + later)


async def refer(track_id: str, key: ObjectKey) -> str:
    """Another version, whose original is this object."""
    async with unit_of_work() as unit:
        asset_id = await unit.connection.scalar(select(Asset.id).where(Asset.key == key.path))
        version = TrackVersion(id=new_id(), track_id=track_id, original_asset_id=asset_id)
        unit.session.add(version)
        await unit.session.flush()
        return version.id


async def test_what_was_removed_goes_after_its_grace_and_all_else_stays(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    kept, gone = await track(tmp_path), await track(tmp_path)
    for made in (kept, gone):
        await inspect_original(made.version_id)
        await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
        await draw_waveform(made.version_id)
    async with unit_of_work() as unit:
        ready, old = [Export(id=new_id(), artist_did="x", expires_at=now()) for _ in range(2)]
        old.removed_at = now()
        unit.session.add_all([ready, old])
    for each in (ready, old):
        await put(store, export_key(each.id))
    before = await objects(store)
    assert await twice() == Swept(seen=len(before), removed=1, removed_bytes=9)  # the archive of the removed export
    await remove_track(gone.track_id, ALICE)
    for earlier in (timedelta(0), GRACE - HOUR):
        assert (await sweep(GRACE, now() + earlier)).removed == 0
    assert len(await objects(store)) == len(before) - 1
    last = await sweep(GRACE, now() + GRACE + HOUR)
    left = await objects(store)
    assert left == {each for each in before if gone.version_id not in each and old.id not in each}
    assert any(kept.version_id in each for each in left)
    assert last.removed == len(before) - 1 - len(left)
    async with database.reading() as session:
        paths = set(await session.scalars(select(Asset.key)))
        assert await session.scalar(select(func.count()).select_from(UnreferencedObject)) == 0
    assert not any(gone.version_id in path for path in paths)
    assert any(kept.version_id in path for path in paths)


async def test_grace_begins_when_the_last_reference_went_not_when_the_object_was_written(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await twice(timedelta(days=300))
    await remove_track(made.track_id, ALICE)
    assert (await sweep(GRACE, now() + timedelta(days=301))).removed == 0
    assert (await sweep(GRACE, now() + timedelta(days=304))).removed == 1


async def test_what_carries_no_id_of_ours_is_none_of_our_business(sqlite_database: Database, store: Storage) -> None:
    for path in ("backups/dump.sql", "checks/00ff", "a/b/c.wav"):
        await put(store, ObjectKey(Bucket.PRIVATE, path))
    assert (await twice()).removed == 0
    assert len(await objects(store)) == 3


async def test_an_original_that_another_version_shares_stays(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    first, second = await track(tmp_path), await track(tmp_path)
    key = original_key(first.version_id, ".wav")
    await refer(second.track_id, key)
    await remove_track(first.track_id, ALICE)
    assert (await twice()).removed == 0
    await remove_track(second.track_id, ALICE)
    assert (await twice()).removed == 2
    assert await objects(store) == set()


async def test_what_a_run_works_on_stays_until_the_run_is_over(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await remove_track(made.track_id, ALICE)
    run = await schedule_transcode(made.version_id, [StreamFormat.HLS_OPUS])
    assert (await twice()).removed == 0
    await cancel_run(run.id)
    assert (await twice()).removed == 1


async def test_a_version_in_the_making_keeps_what_it_has_so_far(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    key = await put(store, ObjectKey(Bucket.PUBLIC, f"{made.version_id}/hls_opus/segment_000.m4s"))
    assert (await twice()).removed == 0
    assert await store.exists(key)


async def test_what_is_referred_to_again_starts_anew(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await track(tmp_path)
    key = await put(store, original_key(new_id(), ".wav"), with_row=True)
    await sweep(GRACE)
    version_id = await refer(made.track_id, key)
    await sweep(GRACE, now() + HOUR)
    async with unit_of_work() as unit:
        await unit.session.delete(await unit.session.get(TrackVersion, version_id))
    assert (await sweep(GRACE, now() + GRACE + 2 * HOUR)).removed == 0
    assert (await sweep(GRACE, now() + 2 * GRACE + 3 * HOUR)).removed == 1


async def test_what_is_referred_to_between_the_listing_and_the_removal_stays(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    key = await put(store, original_key(new_id(), ".wav"), with_row=True)
    await sweep(GRACE)
    await refer(made.track_id, key)
    assert await remove_unreferenced([key], now() + HOUR) == []
    assert await store.exists(key)


async def test_a_reference_that_is_being_written_is_waited_for(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    key = await put(store, original_key(new_id(), ".wav"), with_row=True)
    referred, go_on = asyncio.Event(), asyncio.Event()

    async def refer_slowly() -> None:
        async with unit_of_work():
            await refer(made.track_id, key)
            referred.set()
            await go_on.wait()

    referring = asyncio.create_task(refer_slowly())
    await referred.wait()
    removing = asyncio.create_task(remove_unreferenced([key], now() + HOUR))
    await asyncio.sleep(0.3)
    assert not removing.done()
    go_on.set()
    await referring
    assert await removing == []
    assert await store.exists(key)


async def test_a_reference_that_comes_too_late_is_refused(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await track(tmp_path)
    key = await put(store, original_key(new_id(), ".wav"), with_row=True)
    assert await remove_unreferenced([key], now() + HOUR) == [key]
    async with database.reading() as session:
        assert await session.scalar(select(Asset.id).where(Asset.key == key.path)) is None
    assert not await store.exists(key)
    assert await store.exists(original_key(made.version_id, ".wav"))


async def test_what_was_written_anew_stays(sqlite_database: Database, store: Storage) -> None:
    key = await put(store, original_key(new_id(), ".wav"))
    assert await remove_unreferenced([key], now() - HOUR) == []
    assert await store.exists(key)


async def test_a_sweep_that_was_killed_after_the_rows_is_finished_by_a_later_one(
    sqlite_database: Database, store: Storage
) -> None:
    key = await put(store, original_key(new_id(), ".wav"))  # its row is gone already
    assert (await twice()).removed == 1
    assert not await store.exists(key)


async def test_an_object_that_somebody_else_removed_is_forgotten(sqlite_database: Database, store: Storage) -> None:
    key = await put(store, original_key(new_id(), ".wav"))
    await sweep(GRACE)
    await store.delete(key)
    await sweep(GRACE, now() + GRACE + timedelta(days=31))
    async with current_database().reading() as session:
        assert await session.scalar(select(func.count()).select_from(UnreferencedObject)) == 0


async def test_many_objects_are_swept_in_batches(sqlite_database: Database) -> None:
    async with use_storage(memory_storage()) as store:
        owners = [new_id() for _ in range(50)]
        for owner in owners:
            for number in range(20):
                await store.put(ObjectKey(Bucket.PUBLIC, f"{owner}/hls_opus/segment_{number:03}.m4s"), b"12345")
        async with unit_of_work() as unit:
            unit.session.add(Track(id=owners[0], title="alive"))
        assert await twice() == Swept(seen=1000, removed=980, removed_bytes=4900)
        assert {each.split("/")[1] for each in await objects(store)} == {owners[0]}


async def test_the_task_notes_first_and_removes_nothing_yet(sqlite_database: Database, store: Storage) -> None:
    await put(store, original_key(new_id(), ".wav"))
    for _ in range(2):
        assert await sweep_objects() == {"seen": 1, "waiting": 1, "removed": 0, "removed_bytes": 0}


def test_the_grace_is_longer_than_any_run_that_reads_an_object() -> None:
    find_rooms()
    with pytest.raises(ValidationError):
        MediaSettings(sweep_grace_h=23)
    longest = max(spec.timeout for spec in registry.values() if spec.queue == "media" and spec.timeout)
    assert longest < timedelta(hours=24)
