"""Artwork from real files: the cover that came with the sound, or one that is drawn, never nothing."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.media.artwork import artwork_object, extract_artwork, make_artwork
from backend.domains.media.tracks import get_track
from backend.domains.media.upload import Upload
from backend.errors import NotFound
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import Temporary, upload
from tests.domains.media.pictures import huge_png, opened, plain


async def pictures_of(store: Storage, made: Upload) -> tuple[bytes, bytes]:
    """The picture and its thumbnail, as they lie in the store."""
    keys = [await artwork_object(made.track_id, small) for small in (False, True)]
    return await store.read(keys[0]), await store.read(keys[1])


async def same_track(made: Upload, other: Upload) -> Upload:
    """The same upload as a further version of another one's track."""
    async with unit_of_work() as unit:
        version = await unit.session.get(TrackVersion, made.version_id)
        assert version
        version.track_id = other.track_id
    return Upload(other.track_id, made.version_id, made.run_id)


async def test_s09_a_png_named_jpg_becomes_a_jpeg(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = await upload(audio.with_raw_cover(tmp_path / "a.mp3", plain("PNG"), "image/jpg"))
    assert (await get_track(made.track_id)).artwork is None
    assert await extract_artwork(made.version_id) == {"source": "embedded", "note": None}
    picture, thumbnail = map(opened, await pictures_of(store, made))
    assert (picture.format, picture.size, thumbnail.size) == ("JPEG", (300, 200), (200, 200))
    artwork = (await get_track(made.track_id)).artwork
    assert artwork
    assert (artwork.source, artwork.note) == ("embedded", None)
    assert artwork.url.endswith("/artwork.jpg")
    assert artwork.thumbnail_url.endswith("/thumbnail.jpg")
    assert temporary.left() == []


async def test_s10_s13_a_repeat_and_two_at_once_leave_one_of_each(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.with_cover(tmp_path / "a.flac"))
    await make_artwork(made.version_id)
    first = await pictures_of(store, made)
    await asyncio.gather(*(make_artwork(made.version_id) for _ in range(3)))
    assert await pictures_of(store, made) == first
    async with current_database().reading() as session:
        assert await session.scalar(select(func.count()).select_from(Asset)) == 3


async def test_s10_without_a_cover_one_is_drawn(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav"))
    assert await extract_artwork(made.version_id) == {"source": "generated", "note": None}
    first = await pictures_of(store, made)
    assert [opened(each).size for each in first] == [(1000, 1000), (200, 200)]
    await extract_artwork(made.version_id)
    assert await pictures_of(store, made) == first


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (huge_png(10_000, 10_000), "at most 40 megapixels"),
        (plain("JPEG")[:400], "broken"),
        (b"\x89PNG\r\n\x1a\n and nothing more", "picture that can be used"),
    ],
    ids=["100 megapixels", "cut short", "no picture"],
)
async def test_an_unusable_cover_is_named_and_another_is_drawn(
    sqlite_database: Database, store: Storage, tmp_path: Path, data: bytes, reason: str
) -> None:
    made = await upload(audio.with_raw_cover(tmp_path / "a.mp3", data))
    done = await extract_artwork(made.version_id)
    assert done["source"] == "generated"
    assert reason in (done["note"] or "")
    artwork = (await get_track(made.track_id)).artwork
    assert artwork
    assert (artwork.source, artwork.note) == ("generated", done["note"])
    assert opened((await pictures_of(store, made))[0]).size == (1000, 1000)


async def test_a_drawn_cover_does_not_take_the_place_of_a_real_one(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    first = await upload(audio.with_cover(tmp_path / "a.mp3"))
    second = await same_track(await upload(audio.tone(tmp_path / "b.wav")), first)
    await make_artwork(first.version_id)
    kept = await pictures_of(store, first)
    await make_artwork(second.version_id)
    assert await pictures_of(store, first) == kept
    third = await same_track(await upload(audio.with_raw_cover(tmp_path / "c.mp3", plain("PNG", (80, 80)))), first)
    await make_artwork(third.version_id)
    assert opened((await pictures_of(store, first))[0]).size == (80, 80)


async def test_a_track_without_artwork_and_no_track(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    for track_id in (made.track_id, "none"):
        with pytest.raises(NotFound):
            await artwork_object(track_id)
    with pytest.raises(NotFound):
        await extract_artwork("none")
    async with current_database().reading() as session:
        assert (await session.scalars(select(Track.artwork_source))).all() == [None]
