"""A gate moves what was made of a track, all of it, whatever interrupts; and what others share stays for them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.db.models.media import Asset, Waveform
from backend.db.session import Database, unit_of_work
from backend.domains.media.artwork import artwork_object, make_artwork
from backend.domains.media.history import remove_version
from backend.domains.media.home import note_written
from backend.domains.media.move import copy_and_compare, move_audio, move_track
from backend.domains.media.tracks import stream_object, waveform_object
from backend.domains.media.upload import replace_audio
from backend.errors import NotFound, Unavailable
from backend.settings import get_settings
from backend.storage import Bucket, ObjectKey, Storage, hls_key, open_storage
from tests import audio
from tests.domains.media.conftest import quiet, sent
from tests.domains.media.moving import ALICE, finished, gate, home_of, many_files, there, track, until_some_are_in
from tests.storage.conftest import moto, s3_settings  # noqa: F401

MOVE = """
import asyncio, sys
from backend.db.session import open_database
from backend.domains.media.move import move_track
from backend.settings import get_settings
from backend.storage import open_storage

async def quiet(*_): pass

async def main():
    settings = get_settings()
    async with open_database(settings.database), open_storage(settings):
        await move_track(sys.argv[1], quiet)

asyncio.run(main())
"""


@pytest.fixture(params=["local", "s3"])
async def stores(request: pytest.FixtureRequest) -> Storage:
    """The process's storage: a directory, or S3."""
    if request.param == "s3":
        request.getfixturevalue("s3_settings")
    async with open_storage(get_settings()) as opened:
        yield opened


async def test_everything_of_every_version_moves_there_and_back(
    stores: Storage, sqlite_database: Database, tmp_path: Path
) -> None:
    first = await track(tmp_path)
    await finished(first)
    second = await replace_audio(first.track_id, ALICE, sent(audio.tone(tmp_path / "b.wav", 0.3)), "b.wav")
    await finished(second)
    before = [await there(stores, Bucket.PUBLIC, made) for made in (first, second)]
    assert all(len(paths) >= 5 for paths in before)
    for gated, home, other in ((True, Bucket.PRIVATE, Bucket.PUBLIC), (False, Bucket.PUBLIC, Bucket.PRIVATE)):
        await gate(first, gated)
        moved = await move_audio(first.track_id)
        assert (moved["home"], moved["versions"], moved["objects"]) == (home, 2, sum(map(len, before)))
        assert [await there(stores, home, made) for made in (first, second)] == before
        assert [info.key async for info in stores.list(Bucket.PUBLIC)] == [] or home is Bucket.PUBLIC
        assert await there(stores, other, first) == await there(stores, other, second) == set()
        for key in (
            await stream_object(first.track_id, "hls_opus", person=ALICE),
            await waveform_object(first.track_id, ".json", ALICE),
        ):
            assert key.bucket is home
            assert await stores.exists(key)
        async with sqlite_database.reading() as session:
            places = {(asset.bucket, asset.key) for asset in await session.scalars(select(Asset))}
        assert {bucket for bucket, path in places if not path.startswith("originals/")} == {home}
        assert {bucket for bucket, path in places if path.startswith("originals/")} == {"private"}
        again = await move_audio(first.track_id)
        assert (again["versions"], again["objects"]) == (0, 0)


async def test_the_picture_goes_along_also_when_its_version_was_removed(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    first = await track(tmp_path)
    covered = audio.with_cover(tmp_path / "covered.flac")
    second = await replace_audio(first.track_id, ALICE, sent(covered), "covered.flac")
    drawn, embedded = [(await make_artwork(made.version_id)).source for made in (first, second)]
    assert (drawn, embedded) == ("generated", "embedded")
    await remove_version(first.track_id, second.version_id, ALICE)
    keys = [await artwork_object(first.track_id, small) for small in (False, True)]
    assert all(key.bucket is Bucket.PUBLIC and second.version_id in key.path for key in keys)
    for gated, home in ((True, Bucket.PRIVATE), (False, Bucket.PUBLIC)):
        await gate(first, gated)
        await move_track(first.track_id, quiet)
        assert [await artwork_object(first.track_id, small, ALICE) for small in (False, True)] == [
            key.within(home) for key in keys
        ]
        for key in keys:
            assert await store.exists(key.within(home))
        other = Bucket.PRIVATE if home is Bucket.PUBLIC else Bucket.PUBLIC
        assert not [info async for info in store.list(other, "artwork")]


async def test_rows_follow_on_both_databases(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await track(tmp_path)
    await finished(made)
    await gate(made, True)
    await move_track(made.track_id, quiet)
    assert await home_of(database, made) == "private"
    async with database.reading() as session:
        asset = await session.scalar(select(Asset).join(Waveform, Waveform.json_asset_id == Asset.id))
    assert asset
    assert asset.bucket == "private"


@pytest.mark.parametrize("copied", [1, 100, 300])
async def test_a_move_that_is_stopped_in_the_middle_is_finished_by_the_next(
    sqlite_database: Database, store: Storage, tmp_path: Path, copied: int
) -> None:
    made = await many_files(store, tmp_path)
    all_of_it = await there(store, Bucket.PUBLIC, made)
    await gate(made, True)
    moving = asyncio.create_task(move_track(made.track_id, quiet))
    await until_some_are_in(store, Bucket.PRIVATE, made, copied)
    moving.cancel()
    await asyncio.wait({moving})
    assert moving.cancelled()
    assert await there(store, Bucket(await home_of(sqlite_database, made)), made) == all_of_it
    await move_track(made.track_id, quiet)
    assert await there(store, Bucket.PRIVATE, made) == all_of_it
    assert await there(store, Bucket.PUBLIC, made) == set()


async def test_a_process_that_is_killed_in_the_middle_leaves_a_whole_track(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await many_files(store, tmp_path)
    all_of_it = await there(store, Bucket.PUBLIC, made)
    await gate(made, True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MOVE, made.track_id, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    )
    await until_some_are_in(store, Bucket.PRIVATE, made)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert await there(store, Bucket(await home_of(sqlite_database, made)), made) == all_of_it
    await move_track(made.track_id, quiet)
    assert await home_of(sqlite_database, made) == "private"
    assert await there(store, Bucket.PRIVATE, made) == all_of_it
    assert await there(store, Bucket.PUBLIC, made) == set()


async def test_what_was_left_behind_after_the_rows_changed_is_deleted(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await finished(made)
    await gate(made, True)
    await move_track(made.track_id, quiet)
    await store.put(hls_key(made.version_id, "hls_opus", "segment_000.m4s"), b"still public")
    await move_track(made.track_id, quiet)
    assert await there(store, Bucket.PUBLIC, made) == set()


async def test_a_move_that_fails_changes_no_row_and_deletes_nothing(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await finished(made)
    all_of_it = await there(store, Bucket.PUBLIC, made)
    await gate(made, True)
    in_the_way = get_settings().database.data_dir / "objects" / "private" / made.version_id
    in_the_way.write_text("a file where a directory should be")
    with pytest.raises(Unavailable):
        await move_audio(made.track_id)
    assert await home_of(sqlite_database, made) == "public"
    assert await there(store, Bucket.PUBLIC, made) == all_of_it
    in_the_way.unlink()
    assert (await move_audio(made.track_id))["objects"] == len(all_of_it)


async def test_a_copy_is_read_back(store: Storage) -> None:
    source = ObjectKey(Bucket.PUBLIC, "a/b.m4s")
    await store.put(source, b"x" * 700_000)
    await copy_and_compare(source, source.within(Bucket.PRIVATE))
    assert await store.read(source.within(Bucket.PRIVATE)) == b"x" * 700_000
    with pytest.raises(NotFound):
        await copy_and_compare(ObjectKey(Bucket.PUBLIC, "a/none.m4s"), source)
    assert await store.read(source) == b"x" * 700_000


async def test_what_is_published_while_it_moves_moves_too(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await many_files(store, tmp_path)
    await gate(made, True)
    moving = asyncio.create_task(move_track(made.track_id, quiet))
    await until_some_are_in(store, Bucket.PRIVATE, made)
    late = hls_key(made.version_id, "hls_aac", "init.mp4")
    await store.put(late, b"late")
    async with unit_of_work() as unit:
        await note_written(unit, made.version_id, Bucket.PUBLIC)
    await moving
    assert await store.read(late.within(Bucket.PRIVATE)) == b"late"
    assert await there(store, Bucket.PUBLIC, made) == set()


async def test_work_that_began_before_the_move_is_told_and_goes_home_at_its_next_attempt(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await finished(made)
    await gate(made, True)
    await move_track(made.track_id, quiet)
    with pytest.raises(Unavailable, match="was moved out of the public bucket"):
        async with unit_of_work() as unit:
            await note_written(unit, made.version_id, Bucket.PUBLIC)
    await finished(made)
    assert await there(store, Bucket.PUBLIC, made) == set()
    with pytest.raises(NotFound):
        async with unit_of_work() as unit:
            await note_written(unit, "nope", Bucket.PUBLIC)


async def test_a_gate_that_is_opened_again_while_it_closes(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await many_files(store, tmp_path)
    all_of_it = await there(store, Bucket.PUBLIC, made)
    await gate(made, True)
    moving = asyncio.create_task(move_track(made.track_id, quiet))
    await until_some_are_in(store, Bucket.PRIVATE, made)
    await gate(made, False)
    assert (await moving).home == "public"
    assert await home_of(sqlite_database, made) == "public"
    assert await there(store, Bucket.PUBLIC, made) == all_of_it
    assert await there(store, Bucket.PRIVATE, made) == set()


async def test_what_another_track_shares_stays_for_it(database: Database, store: Storage, tmp_path: Path) -> None:
    made, other = await track(tmp_path), await track(tmp_path)
    await finished(made)
    async with unit_of_work() as unit:
        own = await unit.session.get(Waveform, made.version_id)
        assert own
        picture = own.png_asset_id
        unit.session.add(Waveform(track_version_id=other.version_id, json_asset_id=picture, png_asset_id=picture))
    await gate(made, True)
    await move_track(made.track_id, quiet)
    assert await there(store, Bucket.PUBLIC, made) == {f"{made.version_id}/waveform.png"}
    async with database.reading() as session:
        shared = await session.get(Waveform, other.version_id)
        moved = await session.get(Waveform, made.version_id)
        assert shared
        assert moved
        buckets = [(await session.get_one(Asset, each.png_asset_id)).bucket for each in (shared, moved)]
    assert buckets == ["public", "private"]
    assert await there(store, Bucket.PRIVATE, made) >= {f"{made.version_id}/waveform.png"}


async def test_a_new_version_of_a_gated_track_is_never_public(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    first = await track(tmp_path)
    await gate(first, True)
    await move_track(first.track_id, quiet)
    second = await replace_audio(first.track_id, ALICE, sent(audio.tone(tmp_path / "b.wav", 0.3)), "b.wav")
    await finished(second)
    assert await there(store, Bucket.PUBLIC, second) == set()
    assert len(await there(store, Bucket.PRIVATE, second)) >= 5


async def test_an_unknown_track_is_not_found(sqlite_database: Database) -> None:
    with pytest.raises(NotFound, match="no track nope"):
        await move_track("nope", quiet)
