"""Ingest notes what a file is, and says what is wrong with it."""

from pathlib import Path

import pytest

from backend.db.models.media import VersionStatus
from backend.db.session import Database
from backend.domains.media.ingest import ingest_upload
from backend.errors import InvalidInput, NotFound
from backend.storage import Bucket, Storage
from tests import audio
from tests.domains.media.conftest import Temporary, as_attempt, upload, version_of


async def test_the_version_holds_what_was_measured(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.flac", 1.5, rate=48000, channels=1))
    for _ in range(2):  # a repeat is harmless
        result = await ingest_upload(made.version_id)
        assert result["duration_s"] == 1.5
        version = await version_of(made)
        assert (version.codec, version.duration_s, version.sample_rate) == ("flac", 1.5, 48000)
        assert (version.channels, version.lossless, version.status) == (1, True, VersionStatus.PROCESSING)
    assert temporary.left() == []


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
async def test_a_file_cut_short_fails_at_once_with_its_reason(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path, suffix: str
) -> None:
    made = await upload(audio.truncated(tmp_path / f"a{suffix}", seconds=4.0))
    with pytest.raises(InvalidInput, match="cut short"):
        await as_attempt(1, lambda: ingest_upload(made.version_id))
    version = await version_of(made)
    assert version.status == VersionStatus.FAILED
    assert version.error
    assert "cut short" in version.error
    assert temporary.left() == []


async def test_s12_a_lost_original_is_not_tried_again(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.1))
    await store.delete(*[info.key async for info in store.list(Bucket.PRIVATE)])
    with pytest.raises(NotFound, match="no object private/originals"):
        await as_attempt(1, lambda: ingest_upload(made.version_id))
    assert (await version_of(made)).status == VersionStatus.FAILED


async def test_an_unknown_version_is_not_found(sqlite_database: Database, store: Storage) -> None:
    with pytest.raises(NotFound):
        await ingest_upload("0192a6b1-0000-7000-8000-000000000000")
