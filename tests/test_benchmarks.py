"""The benchmarks work, and write only their own section of the page."""

from pathlib import Path

import pytest

from backend.db.session import Database
from backend.settings import get_settings
from backend.storage import open_storage
from benchmarks.page import PAGE, write_section
from benchmarks.pipeline import ARTIST, compare, report
from tests import audio
from tests.conftest import set_environment


def test_a_section_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Figures\n\n<!-- a -->\nold\n<!-- end of a -->\n\n<!-- b -->\n<!-- end of b -->\n")
    write_section("a", "new \\1 text", page)
    write_section("b", "other", page)
    assert "new \\1 text" in page.read_text()
    assert "other" in page.read_text()
    assert "old" not in page.read_text()
    with pytest.raises(ValueError, match="no section"):
        write_section("c", "lost", page)
    for name in ("runner", "pipeline", "fingerprints", "export", "records", "watchers", "desk"):
        assert PAGE.read_text().count(f"<!-- {name} -->") == 1


async def test_the_pipeline_makes_what_the_designs_commands_make_from_one_download(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, ALAC_ARTISTS=ARTIST)
    async with open_storage(get_settings()):
        made = await compare(audio.noise(tmp_path / "a.flac", 7.0), pairs=1)
    assert made.same_loudness
    assert made.same_fingerprint
    assert set(made.same_sound.values()) == {True}
    assert len(made.same_sound) == 4
    [ours], [theirs] = made.ours, made.theirs
    assert (ours.downloads, theirs.downloads) == (1, 5)
    assert made.size <= ours.read_bytes < theirs.read_bytes
    assert "identical" in report(made, "9.0")
    made.same_sound["hls_aac"] = False
    assert "DIFFERENT for hls_aac" in report(made, "9.0")
