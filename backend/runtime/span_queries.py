"""SQL over spans: those in the data directory, or those at Logfire. Both have them in a table `records`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from logfire.query_client import (
    AsyncLogfireQueryClient,
    QueryExecutionError,
    QueryRequestError,
    UnexpectedResponseError,
)

from backend.errors import InvalidInput, Misconfigured, Unavailable
from backend.runtime.spans import LEVELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOGFIRE_LIMIT = 10_000  # rows of one answer
MEMORY = "1GB"
ATTEMPTS = 3  # at files that a process removes meanwhile

COLUMNS = {
    "start_timestamp": "TIMESTAMPTZ", "end_timestamp": "TIMESTAMPTZ", "duration": "DOUBLE",
    "kind": "VARCHAR", "level": "SMALLINT", "span_name": "VARCHAR", "message": "VARCHAR",
    "trace_id": "VARCHAR", "span_id": "VARCHAR", "parent_span_id": "VARCHAR",
    "is_exception": "BOOLEAN", "exception_type": "VARCHAR", "exception_message": "VARCHAR",
    "exception_stacktrace": "VARCHAR", "otel_status_code": "VARCHAR", "otel_status_message": "VARCHAR",
    "otel_scope_name": "VARCHAR", "service_name": "VARCHAR", "service_version": "VARCHAR",
    "deployment_environment": "VARCHAR", "process_pid": "BIGINT", "http_method": "VARCHAR", "http_route": "VARCHAR",
    "http_response_status_code": "INTEGER", "url_full": "VARCHAR", "tags": "VARCHAR[]", "attributes": "JSON",
}  # fmt: skip

# Logfire's own names for them. Levels are numbers, so that they have an order.
LEVEL_MACROS = (
    f"CREATE MACRO level_num(name) AS MAP {LEVELS}[name]",
    f"CREATE MACRO level_name(num) AS MAP { ({num: name for name, num in LEVELS.items()}) }[num]",
)


@dataclass
class Answer:
    """Rows under the names of their columns. `more` says that the limit cut it."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool

    def dicts(self) -> list[dict[str, Any]]:
        """Each row by its columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def ask_files(directory: Path, sql: str, limit: int) -> Answer:
    """Ask the spans kept in this directory, with DuckDB, whose SQL can do nothing but read them. Raises InvalidInput.

    What a killed process wrote by half is left out, and so is what a living one is just writing.
    """
    import duckdb  # it takes a moment to import, which no other command needs

    with duckdb.connect(":memory:", config={"memory_limit": MEMORY}) as connection:
        _read(connection, directory)
        # From here on neither files nor the network can be reached, and no statement can change that.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            statements = duckdb.extract_statements(sql)
            if len(statements) != 1 or statements[0].type.name not in ("SELECT", "EXPLAIN"):
                raise InvalidInput("spans can only be read: write one SELECT", field="SQL")
            result = connection.execute(sql)
            rows = result.fetchmany(limit + 1)
        except duckdb.Error as error:
            raise InvalidInput(f"the SQL cannot be answered: {_first_paragraph(error)}", field="SQL") from None
        return Answer([column[0] for column in result.description or []], rows[:limit], len(rows) > limit)


def _read(connection: "DuckDBPyConnection", directory: Path) -> None:
    import duckdb

    connection.execute("SET TimeZone = 'UTC'")
    for macro in LEVEL_MACROS:
        connection.execute(macro)
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    source = f"read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{{columns}}})"
    for attempt in range(1, ATTEMPTS + 1):
        files = sorted(str(file) for file in directory.glob("*.jsonl"))
        if not files:
            break
        try:
            connection.execute(f"CREATE TABLE records AS FROM {source} WHERE span_id IS NOT NULL", [files])
            return
        except duckdb.IOException:
            if attempt == ATTEMPTS:
                raise
    connection.execute(f"CREATE TABLE records ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")


def _first_paragraph(error: Exception) -> str:
    return str(error).partition("\n\n")[0].replace("\n", " ")


async def ask_logfire(token: str, base_url: str | None, days: int, sql: str, limit: int) -> Answer:
    """Ask Logfire for spans of the last `days`. Raises InvalidInput, Misconfigured when it refuses the token, Unavailable.

    Source: https://logfire.pydantic.dev/docs/how-to-guides/query-api/
    """
    since, most = datetime.now(UTC) - timedelta(days=days), min(limit + 1, LOGFIRE_LIMIT)
    try:
        async with AsyncLogfireQueryClient(token, base_url) as client:
            found = await client.query_json_rows(sql, min_timestamp=since, limit=most)
    except (QueryExecutionError, QueryRequestError) as error:
        raise InvalidInput(f"Logfire cannot answer the SQL: {error}", field="SQL") from None
    except UnexpectedResponseError as error:
        if any(f"status code {status}" in str(error) for status in (401, 403)):
            raise Misconfigured("Logfire refuses the read token", field="LOGFIRE_READ_TOKEN") from None
        raise Unavailable(f"Logfire does not answer: {error}", field="LOGFIRE_BASE_URL") from None
    except httpx.HTTPError as error:
        raise Unavailable(f"Logfire cannot be reached: {error or type(error).__name__}") from None
    columns = [column["name"] for column in found["columns"]]
    rows = [tuple(row.get(name) for name in columns) for row in islice(found["rows"], limit)]
    return Answer(columns, rows, len(found["rows"]) > limit)
