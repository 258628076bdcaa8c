"""How results look: tables for people, JSON for programs, never both."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 200

out = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, width=None if sys.stderr.isatty() else PIPED_WIDTH)

STYLES = {
    "waiting": "yellow",
    "queued": "cyan",
    "scheduled": "blue",
    "running": "bold cyan",
    "succeeded": "green",
    "cancelled": "dim",
    "dead": "bold red",
    "interrupted": "magenta",
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
}

Cell = str | Text | int | float | None


def print_json(data: object) -> None:
    """Dataclasses, dates and all, as indented JSON on standard output."""
    sys.stdout.write(json.dumps(to_jsonable_python(data), indent=2, ensure_ascii=False) + "\n")


def print_json_line(data: object) -> None:
    """The same in one line, for streams."""
    sys.stdout.write(json.dumps(to_jsonable_python(data), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, empty: str) -> None:
    """A table, or one sentence when there is nothing to show. The first column is never cut."""
    if not rows:
        out.print(empty, style="dim")
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    out.print(table)


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=STYLES.get(state, ""))


def ago(when: datetime | None) -> str:
    """How long ago, or how far ahead, in one unit."""
    if when is None:
        return ""
    seconds = (datetime.now(UTC) - when).total_seconds()
    return f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"


def span(seconds: float | None) -> str:
    """A length of time in one unit, for people."""
    if seconds is None:
        return ""
    for limit, size, unit in ((1, 0.001, "ms"), (120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if unit == "s" and value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def between(start: datetime | None, end: datetime | None) -> str:
    """The time from start to end, or till now."""
    return span(((end or datetime.now(UTC)) - start).total_seconds()) if start else ""
