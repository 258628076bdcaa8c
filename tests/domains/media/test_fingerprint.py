"""Fingerprints of real sound, kept once; the same sound is found in other clothes, another is not."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from backend.adapters.ffmpeg import FfmpegFailed
from backend.db.models.media import AudioFingerprint, FingerprintTerm, Report, Track, TrackVersion
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.media.fingerprint import CROWDED, fingerprint_sound, fingerprint_version
from backend.domains.media.likeness import INDEXED_TERMS, TOO_SHORT, TOO_UNIFORM
from backend.domains.media.upload import Upload
from backend.errors import Conflict
from backend.storage import Storage
from tests import audio, music
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary, broken_ffmpeg, ingested, quiet, upload

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def owned(file: Path, artist_did: str | None) -> Upload:
    """An ingested upload of an artist."""
    made = await ingested(file)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).where(Track.id == made.track_id).values(artist_did=artist_did))
    return made


async def reports() -> list[Report]:
    async with current_database().reading() as session:
        return list(await session.scalars(select(Report).order_by(Report.id)))


async def kept(made: Upload) -> AudioFingerprint:
    async with current_database().reading() as session:
        found = await session.scalars(select(AudioFingerprint).filter_by(track_version_id=made.version_id))
        return found.one()


async def terms() -> int:
    async with current_database().reading() as session:
        return await session.scalar(select(func.count()).select_from(FingerprintTerm)) or 0


async def fingerprinted(file: Path, artist_did: str | None = None) -> Upload:
    """An upload of an artist that went through the task."""
    made = await owned(file, artist_did)
    await fingerprint_sound(made.version_id, quiet)
    return made


async def test_s13_a_repeat_keeps_one_fingerprint(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = await ingested(music.play(tmp_path / "a.wav", seed=1))
    first = await fingerprint_version(made.version_id)
    for _ in range(2):
        assert await fingerprint_version(made.version_id) == first
    row = await kept(made)
    assert row.numbers
    assert (len(np.frombuffer(row.numbers, "<u4")), row.note, row.algorithm) == (first["numbers"], None, 1)
    assert await terms() == INDEXED_TERMS
    assert temporary.left() == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b.mp3", {}),
        ("b.opus", {}),
        ("b.mp3", {"lead_s": 3.21}),
        ("b.mp3", {"lead_s": 0.05}),  # half of what one number stands for: the hardest
        ("b.m4a", {"skip_s": 2.37}),
    ],
    ids=["mp3", "opus", "starts later", "starts between two numbers", "starts earlier"],
)
async def test_s38_the_same_sound_in_other_clothes(
    sqlite_database: Database, store: Storage, tmp_path: Path, name: str, options: dict[str, float]
) -> None:
    await fingerprinted(music.play(tmp_path / "other.wav", seed=2, seconds=30.0))
    first = await fingerprinted(music.play(tmp_path / "a.wav", seed=1, seconds=30.0), ALICE)
    assert await reports() == []
    second = await fingerprinted(music.play(tmp_path / name, seed=1, seconds=30.0, **options), BOB)
    [report] = await reports()
    assert (report.target_type, report.target_id, report.related_id) == ("track", second.track_id, first.track_id)
    assert (report.reason, report.status) == ("duplicate", "pending")
    assert first.track_id in report.description
    assert second.track_id in report.description


async def test_s38_different_sounds_are_no_duplicates(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    for seed in range(1, 6):
        await fingerprinted(music.play(tmp_path / "a.wav", seed=seed))
    await fingerprinted(audio.noise(tmp_path / "noise.wav", 12.0))
    assert await reports() == []


async def test_s39_a_pair_is_reported_once(database: Database, store: Storage, tmp_path: Path) -> None:
    one = await fingerprinted(music.play(tmp_path / "a.wav", seed=1), ALICE)
    other = await fingerprinted(music.play(tmp_path / "b.mp3", seed=1), BOB)
    for made in (one, other, one):
        done = await fingerprint_version(made.version_id)
        assert done["report_id"] == (await reports())[0].id
    await asyncio.gather(*(fingerprint_version(made.version_id) for made in (one, other)))
    assert len(await reports()) == 1


async def test_s39_two_that_come_at_once_see_each_other(database: Database, store: Storage, tmp_path: Path) -> None:
    made = [await owned(music.play(tmp_path / f"{artist[-3:]}.wav", seed=1), artist) for artist in (ALICE, BOB)]
    await asyncio.gather(*(fingerprint_version(each.version_id) for each in made))
    assert [(each.target_id, each.related_id) for each in await reports()] == [(made[1].track_id, made[0].track_id)]


async def test_s39_never_the_track_itself_nor_the_artists_others(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    first = await fingerprinted(music.play(tmp_path / "a.wav", seed=1), ALICE)
    await fingerprinted(music.play(tmp_path / "b.mp3", seed=1), ALICE)
    version = await owned(music.play(tmp_path / "c.flac", seed=1), None)
    async with unit_of_work() as unit:
        moved = update(TrackVersion).where(TrackVersion.id == version.version_id)
        await unit.connection.execute(moved.values(track_id=first.track_id))
    await fingerprint_sound(version.version_id, quiet)
    await fingerprint_sound(first.version_id, quiet)
    assert await reports() == []


async def test_s40_too_short_and_too_uniform_have_a_reason_and_no_fingerprint(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    sounds = [
        (audio.tone(tmp_path / "a.wav", 1.0), TOO_SHORT),
        (audio.tone(tmp_path / "b.wav", 5.0), TOO_SHORT),
        (audio.silence(tmp_path / "c.wav", 12.0), TOO_UNIFORM),
        (audio.tone(tmp_path / "d.wav", 12.0), TOO_UNIFORM),
        (audio.tone(tmp_path / "e.wav", 12.0, hz=300), TOO_UNIFORM),
    ]
    for file, reason in sounds:
        made = await ingested(file)
        done = await fingerprint_version(made.version_id)
        assert done == {"numbers": 0, "note": reason, "report_id": None}
        row = await kept(made)
        assert (row.numbers, row.note) == (None, reason)
    assert (await terms(), await reports()) == (0, [])


async def test_s40_a_failing_program_keeps_nothing(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path))
    with pytest.raises(FfmpegFailed):
        await fingerprint_version(made.version_id)
    async with current_database().reading() as session:
        assert await session.scalar(select(func.count()).select_from(AudioFingerprint)) == 0
    assert temporary.left() == []


async def test_a_term_that_a_thousand_sounds_have_is_not_indexed_any_more(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await fingerprinted(music.play(tmp_path / "a.wav", seed=1))
    async with unit_of_work() as unit:
        mine = await unit.session.scalar(select(AudioFingerprint.id))
        common = await unit.session.scalar(select(FingerprintTerm.term).order_by(FingerprintTerm.term).limit(1))
        version = await unit.session.get(TrackVersion, made.version_id)
        assert version
        for number in range(CROWDED):
            copy = TrackVersion(track_id=version.track_id, original_asset_id=version.original_asset_id)
            unit.session.add(copy)
            await unit.session.flush([copy])
            row = AudioFingerprint(id=10_000 + number, track_version_id=copy.id, algorithm=1)
            unit.session.add(row)
            await unit.session.flush([row])
            unit.session.add(FingerprintTerm(term=common, fingerprint_id=row.id))
    await fingerprint_sound(made.version_id, quiet)
    async with current_database().reading() as session:
        left = list(await session.scalars(select(FingerprintTerm.term).filter_by(fingerprint_id=mine)))
    assert common not in left
    assert len(left) == INDEXED_TERMS


async def test_what_is_removed_takes_its_terms_along(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await fingerprinted(music.play(tmp_path / "a.wav", seed=1))
    assert await terms() == INDEXED_TERMS
    async with unit_of_work() as unit:
        track = await unit.session.get(Track, made.track_id)
        await unit.session.delete(track)
    assert await terms() == 0


async def test_before_ingest_it_is_a_conflict(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        await fingerprint_version((await upload(audio.tone(tmp_path / "a.wav", 0.1))).version_id)
