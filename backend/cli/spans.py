"""`backline spans`: SQL over spans."""

import json
from typing import Annotated

import typer

from backend.cli.output import Cell, err, print_json, print_table
from backend.cli.session import AsJson, command
from backend.runtime.span_queries import Answer, ask_files, ask_logfire
from backend.runtime.spans import spans_directory
from backend.settings import get_settings

Sql = Annotated[str, typer.Argument(metavar="SQL", help="A SELECT from `records`.", show_default=False)]


@command
async def spans(
    sql: Sql,
    limit: Annotated[int, typer.Option(min=1, max=9999, help="Most rows to show.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Ask the spans of this platform with SQL: those in DATA_DIR, or those at Logfire when LOGFIRE_READ_TOKEN is set."""
    settings = get_settings()
    token = settings.traces.logfire_read_token
    if token is None:
        answer = ask_files(spans_directory(settings), sql, limit)
    else:
        place, days = settings.traces.logfire_base_url, settings.traces.spans_store_days
        answer = await ask_logfire(token.get_secret_value(), place, days, sql, limit)
    _show(answer, as_json)
    if answer.more:
        err.print(f"There are more than {limit} rows: see --limit.", style="dim")


def _show(answer: Answer, as_json: bool) -> None:
    if as_json:
        print_json(answer.dicts())
        return
    rows = [[_cell(value) for value in row] for row in answer.rows]
    print_table(answer.columns, rows, empty="No spans match.")


def _cell(value: object) -> Cell:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value if isinstance(value, int | float | None) else str(value)
