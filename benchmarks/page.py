"""The page of figures: each benchmark writes its own section, between its marks, and leaves the others alone."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "operations" / "benchmarks.md"


def when_and_where() -> list[str]:
    """What every section begins with: the time, and the machine with its load."""
    return [
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f}",
    ]


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` between the marks of a section. Raises ValueError when the page has no such marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    written, count = re.subn(
        rf"({re.escape(begin)}).*?({re.escape(end)})",
        lambda found: f"{found[1]}\n{text}\n{found[2]}",
        page.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{page} has no section between {begin.strip()} and {end}")
    page.write_text(written)
