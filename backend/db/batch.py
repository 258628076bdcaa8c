"""Many rows in one statement: a list of rows becomes a table that an UPDATE or an INSERT reads from.

One JSON parameter carries all rows, so that the statement is the same whatever the count, on SQLite and on PostgreSQL.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

Cell = str | int | float | bool | datetime | dict[str, object] | list[object] | None


class Kind(StrEnum):
    """What a column of a batch holds. The value is PostgreSQL's type."""

    TEXT = "text"
    INT = "int"
    BOOL = "boolean"
    MOMENT = "timestamptz"
    JSON = "jsonb"


class Batch:
    """Rows with named columns, for one dialect: `source` stands in a FROM clause, `encode` makes its parameter `:rows`."""

    def __init__(self, dialect: str, columns: Mapping[str, Kind]) -> None:
        self.dialect = dialect
        self.columns = columns
        if dialect == "postgresql":
            # JSON travels as text, so that a JSON null and an SQL NULL stay two things.
            typed = ", ".join(f"{name} {Kind.TEXT if kind is Kind.JSON else kind}" for name, kind in columns.items())
            self.source = f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({typed})"
        else:
            picked = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
            self.source = f"(SELECT {picked} FROM json_each(:rows)) AS r"

    def cell(self, name: str) -> str:
        """The column as SQL, of the type the table stores."""
        as_json = self.columns[name] is Kind.JSON and self.dialect == "postgresql"
        return f"CAST(r.{name} AS jsonb)" if as_json else f"r.{name}"

    def encode(self, rows: Sequence[Mapping[str, Cell]]) -> str:
        """The parameter `:rows`. A missing column is NULL."""
        return json.dumps([self._encode(row) for row in rows])

    def _encode(self, row: Mapping[str, Cell]) -> dict[str, Cell]:
        cells: dict[str, Cell] = {}
        for name, kind in self.columns.items():
            value = row.get(name)
            if value is None:
                continue
            if kind is Kind.JSON:
                cells[name] = json.dumps(value)
            elif kind is Kind.MOMENT and isinstance(value, datetime):
                cells[name] = moment_text(self.dialect, value)
            else:
                cells[name] = value
        return cells


def moment_text(dialect: str, value: datetime) -> str:
    """A moment as the dialect's text: on SQLite in the very form that moment columns store."""
    utc = value.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds") if dialect == "sqlite" else utc.isoformat()
