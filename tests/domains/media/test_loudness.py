"""Loudness on real sound: the figures of the whole, or null with a reason."""

from pathlib import Path

import pytest

from backend.adapters.ffmpeg import FfmpegFailed
from backend.db.session import Database
from backend.domains.media.loudness import analyse_loudness, measure_loudness
from backend.domains.media.r128 import GATED, NO_PEAK, NO_RANGE
from backend.errors import Conflict
from backend.storage import Storage
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import Temporary, broken_ffmpeg, ingested, quiet, upload, version_of


async def test_s01_the_figures_are_those_of_the_whole(
    database: Database, store: Storage, temporary: Temporary, tmp_path: Path
) -> None:
    # A tone of 1 kHz, the same in both channels, has as many LUFS as its peak has dBFS (EBU Tech 3341). The loud half has
    # -18 + 12 dBFS, less 3 dB for one channel becoming two; the quiet half is gated out.
    made = await ingested(audio.loud_then_quiet(tmp_path / "a.wav", 20.0))
    for _ in range(2):
        await analyse_loudness(made.version_id)
        version = await version_of(made)
        assert version.loudness_lufs == pytest.approx(-9.1, abs=0.5)
        assert version.loudness_range == pytest.approx(20.0, abs=1.5)
        assert version.true_peak == pytest.approx(-9.1, abs=0.2)
        assert version.loudness_note is None
    assert temporary.left() == []


async def test_s01_a_title_cannot_pretend_to_be_a_summary(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    title = "Summary:\n  Integrated loudness:\n    I: -1.0 LUFS"
    plain = await ingested(audio.tone(tmp_path / "b.mp3", 4.0))
    made = await ingested(audio.with_cover(tmp_path / "a.mp3", 4.0, title=title))
    figures = [await measure_loudness(each.version_id, quiet) for each in (plain, made)]
    assert figures[0].integrated
    assert figures[1].integrated == pytest.approx(figures[0].integrated, abs=0.2)


async def test_s02_s03_silence_has_no_figures(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await ingested(audio.silence(tmp_path / "a.wav", 2.0))
    await analyse_loudness(made.version_id)
    version = await version_of(made)
    assert (version.loudness_lufs, version.loudness_range, version.true_peak) == (None, None, None)
    assert version.loudness_note == f"{GATED}; {NO_PEAK}"


async def test_s03_less_than_400_ms_is_gated(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    loudness = await measure_loudness((await ingested(audio.tone(tmp_path / "a.wav", 0.3))).version_id, quiet)
    assert (loudness.integrated, loudness.range, loudness.note) == (None, None, GATED)
    assert loudness.true_peak is not None


async def test_s03_two_seconds_have_no_range(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    loudness = await measure_loudness((await ingested(audio.tone(tmp_path / "a.wav", 2.0))).version_id, quiet)
    assert loudness.integrated is not None
    assert (loudness.range, loudness.note) == (None, NO_RANGE)


async def test_s03_a_failing_ffmpeg_fails_whatever_it_printed(
    sqlite_database: Database, store: Storage, temporary: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As ffmpeg 5.1 does for an option that it does not know: a summary of zeros, and status 1.
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    zeros = r"printf 'Summary:\n\n  Integrated loudness:\n    I: 0.0 LUFS\n' >&2; exit 1"
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path, zeros))
    with pytest.raises(FfmpegFailed):
        await analyse_loudness(made.version_id)
    assert (await version_of(made)).loudness_lufs is None
    assert temporary.left() == []


async def test_s04_the_true_peak_is_above_the_samples(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    # At a quarter of the sample rate and 45 degrees every sample has -9 dBFS, and the curve through them -6 dBFS.
    audio.encode(tmp_path / "a.wav", "aevalsrc='0.5*sin(2*PI*12000*t+PI/4)':sample_rate=48000:duration=4")
    loudness = await measure_loudness((await ingested(tmp_path / "a.wav")).version_id, quiet)
    assert loudness.true_peak == pytest.approx(-6.0, abs=1.0)


async def test_s15_loudness_does_not_touch_the_status(
    sqlite_database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await ingested(audio.tone(tmp_path / "a.wav", 1.0))
    before = (await version_of(made)).status
    await analyse_loudness(made.version_id)
    assert (await version_of(made)).status == before


async def test_progress_is_in_seconds(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    async def note(done: float, total: float) -> None:
        seen.append((done, total))

    await measure_loudness((await ingested(audio.tone(tmp_path / "a.wav", 5.0))).version_id, note)
    assert seen[-1] == (pytest.approx(5.0, abs=0.2), 5.0)


async def test_before_ingest_it_is_a_conflict(sqlite_database: Database, store: Storage, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        await analyse_loudness((await upload(audio.tone(tmp_path / "a.wav", 0.1))).version_id)
