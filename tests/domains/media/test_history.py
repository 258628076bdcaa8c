"""A track's versions: replaced, listed, restored, removed, by their owner."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.db.models.media import Asset, Track, TrackVersion, Transcode, VersionStatus, Waveform
from backend.db.models.runs import Run
from backend.db.session import Database
from backend.domains.media.access import NOBODY, Person
from backend.domains.media.formats import StreamFormat
from backend.domains.media.history import list_versions, remove_track, remove_version, restore_version
from backend.domains.media.ingest import inspect_original
from backend.domains.media.tracks import get_track, stream_object
from backend.domains.media.transcode import schedule_transcode, transcode_version
from backend.domains.media.upload import Upload, replace_audio, store_upload
from backend.domains.media.versions import move
from backend.domains.media.waveform import draw_waveform
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound, SignInRequired, UnsupportedMedia
from backend.storage import Bucket, Storage
from tests import audio
from tests.domains.media.conftest import sent

ALICE, BOB, ADMIN = Person("did:plc:alice"), Person("did:plc:bob"), Person("did:plc:root", admin=True)


@pytest.fixture
async def made(database: Database, store: Storage, tmp_path: Path) -> Upload:
    """A track of Alice's with one version."""
    return await store_upload(sent(audio.tone(tmp_path / "first.wav", 0.2)), "first.wav", artist_did=ALICE.did)


async def replaced(made: Upload, tmp_path: Path, name: str = "second.wav") -> Upload:
    return await replace_audio(made.track_id, ALICE, sent(audio.tone(tmp_path / name, 0.3)), name)


async def rows(database: Database, *models: type) -> list[int]:
    async with database.reading() as session:
        return [await session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


async def test_a_replacement_is_a_version_more_and_the_old_one_plays_until_it_is_ready(
    database: Database, store: Storage, made: Upload, tmp_path: Path
) -> None:
    await move(made.version_id, VersionStatus.READY)
    second = await replaced(made, tmp_path)
    assert second.track_id == made.track_id
    lines = await list_versions(made.track_id, ALICE)
    assert [(line.id, line.shown, line.next, line.filename, line.status) for line in lines] == [
        (second.version_id, False, True, "second.wav", "pending"),
        (made.version_id, True, False, "first.wav", "ready"),
    ]
    assert (await get_track(made.track_id)).version.id == made.version_id
    async with database.reading() as session:
        run = await session.get(Run, second.run_id)
        assert run
        assert (run.task, run.args) == ("ingest_upload", {"version_id": second.version_id})
    await inspect_original(second.version_id)
    await transcode_version(second.version_id, [StreamFormat.HLS_OPUS])
    assert (await get_track(made.track_id)).version.id == second.version_id
    assert await store.exists(await stream_object(made.track_id, "hls_opus"))
    assert [line.shown for line in await list_versions(made.track_id, ALICE)] == [True, False]


async def test_versions_come_in_pages(made: Upload, tmp_path: Path) -> None:
    more = [await replaced(made, tmp_path, f"{number}.wav") for number in range(2)]
    ids = [more[1].version_id, more[0].version_id, made.version_id]
    first = await list_versions(made.track_id, ALICE, limit=2)
    rest = await list_versions(made.track_id, ALICE, limit=2, before=first[-1].id)
    assert [line.id for line in (*first, *rest)] == ids


async def test_a_replacement_that_is_refused_leaves_nothing(
    database: Database, store: Storage, made: Upload, tmp_path: Path
) -> None:
    before = await rows(database, Asset, TrackVersion, Run)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is not sound")
    for file, error in (("empty.wav", InvalidInput), ("text.wav", UnsupportedMedia)):
        with pytest.raises(error):
            await replace_audio(made.track_id, ALICE, sent(tmp_path / file), file)
    assert await rows(database, Asset, TrackVersion, Run) == before
    assert len([info async for info in store.list(Bucket.PRIVATE)]) == 1
    assert not any(line.next for line in await list_versions(made.track_id, ALICE))


async def test_not_a_byte_is_read_of_a_stranger(made: Upload) -> None:
    async def watched() -> AsyncIterator[bytes]:
        raise AssertionError("a byte was asked for")
        yield b""

    for track_id, person, error in (
        (made.track_id, BOB, Forbidden), (made.track_id, NOBODY, SignInRequired), ("nope", ALICE, NotFound),
    ):  # fmt: skip
        with pytest.raises(error):
            await replace_audio(track_id, person, watched())


async def test_a_track_that_is_removed_while_its_replacement_arrives(
    store: Storage, made: Upload, tmp_path: Path
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        async for chunk in sent(audio.tone(tmp_path / "b.wav", 0.3), 8192):
            yield chunk
        await remove_track(made.track_id, ALICE)

    with pytest.raises(NotFound):
        await replace_audio(made.track_id, ALICE, slow())
    # What is left is the first version's file, which is swept later; the new one is gone at once.
    assert [info.key.path async for info in store.list(Bucket.PRIVATE)] == [f"originals/{made.version_id}.wav"]


async def test_a_version_that_was_ready_is_restored(made: Upload, tmp_path: Path) -> None:
    second = await replaced(made, tmp_path)
    for version_id in (made.version_id, second.version_id):
        await move(version_id, VersionStatus.READY)
    assert (await get_track(made.track_id)).version.id == second.version_id
    for _ in range(2):
        await restore_version(made.track_id, made.version_id, ALICE)
        assert (await get_track(made.track_id)).version.id == made.version_id


async def test_only_what_plays_is_restored(made: Upload, tmp_path: Path) -> None:
    second = await replaced(made, tmp_path)
    for status in (VersionStatus.PENDING, VersionStatus.PROCESSING, VersionStatus.FAILED):
        await move(second.version_id, status)
        with pytest.raises(Conflict, match=f"the version is {status}"):
            await restore_version(made.track_id, second.version_id, ALICE)
    assert (await get_track(made.track_id)).version.id == made.version_id


async def test_a_version_belongs_to_its_track_and_its_owner(made: Upload, store: Storage, tmp_path: Path) -> None:
    other = await store_upload(sent(audio.tone(tmp_path / "b.wav", 0.1)), artist_did=ALICE.did)
    for call in (restore_version, remove_version):
        for version_id in (other.version_id, "nope"):
            with pytest.raises(NotFound, match="has no version"):
                await call(made.track_id, version_id, ALICE)
        for person, error in ((BOB, Forbidden), (NOBODY, SignInRequired)):
            with pytest.raises(error):
                await call(made.track_id, made.version_id, person)
    for person, error in ((BOB, Forbidden), (NOBODY, SignInRequired)):
        with pytest.raises(error):
            await remove_track(made.track_id, person)
        with pytest.raises(error):
            await list_versions(made.track_id, person)
    assert (await get_track(made.track_id)).version.id == made.version_id


async def test_the_version_that_is_shown_stays(made: Upload) -> None:
    with pytest.raises(Conflict, match="this version is shown"):
        await remove_version(made.track_id, made.version_id, ALICE)


async def test_a_removed_version_is_gone_and_nothing_waits_for_it(
    database: Database, made: Upload, tmp_path: Path
) -> None:
    second = await replaced(made, tmp_path)
    await remove_version(made.track_id, second.version_id, ADMIN)
    assert [line.id for line in await list_versions(made.track_id, ALICE)] == [made.version_id]
    await move(second.version_id, VersionStatus.READY)
    async with database.reading() as session:
        track, run = await session.get(Track, made.track_id), await session.get(Run, second.run_id)
        other = await session.get(Run, made.run_id)
    assert track
    assert (track.current_version_id, track.next_version_id) == (made.version_id, None)
    assert run
    assert other
    assert (run.state, other.state) == ("cancelled", "waiting")
    with pytest.raises(NotFound):
        await remove_version(made.track_id, second.version_id, ALICE)


async def test_a_removed_track_takes_everything_along_but_the_bytes(
    database: Database, store: Storage, made: Upload
) -> None:
    await inspect_original(made.version_id)
    await transcode_version(made.version_id, [StreamFormat.HLS_OPUS])
    await draw_waveform(made.version_id)
    run = await schedule_transcode(made.version_id, [StreamFormat.HLS_OPUS])
    await remove_track(made.track_id, ALICE)
    assert await rows(database, Track, TrackVersion, Transcode, Waveform) == [0, 0, 0, 0]
    async with database.reading() as session:
        assert set(await session.scalars(select(Run.state))) == {"cancelled"}
        assert await session.get(Run, run.id)
    for call in (get_track(made.track_id), stream_object(made.track_id, "hls_opus")):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await remove_track(made.track_id, ALICE)


async def test_two_changes_at_once_are_one_after_the_other(made: Upload, tmp_path: Path) -> None:
    second = await replaced(made, tmp_path)
    for version_id in (made.version_id, second.version_id):
        await move(version_id, VersionStatus.READY)

    async def remove_old() -> str:
        try:
            await remove_version(made.track_id, made.version_id, ALICE)
        except Conflict:
            return "refused"
        return "removed"

    async def restore_old() -> str:
        try:
            await restore_version(made.track_id, made.version_id, ALICE)
        except NotFound:
            return "refused"
        return "restored"

    outcomes = set(await asyncio.gather(remove_old(), restore_old()))
    assert outcomes in ({"removed", "refused"}, {"restored", "refused"})
    assert (await get_track(made.track_id)).version.status == "ready"
