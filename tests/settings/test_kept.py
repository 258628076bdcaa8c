"""Secrets that nobody configured: see also those that sign URLs and seal credentials."""

from pathlib import Path

import pytest

from backend.errors import Misconfigured
from backend.settings.kept import kept_secret


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "new" / "one", "ONE")
    assert kept_secret(tmp_path / "new" / "one", "ONE") == first
    assert kept_secret(tmp_path / "new" / "two", "TWO") != first
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["one", "two"]


def test_a_spoiled_one_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("short")
    with pytest.raises(Misconfigured, match="delete it") as refused:
        kept_secret(tmp_path / "one", "ONE")
    assert refused.value.field == "ONE"
