"""What every command shares: an open database, one clear line for an error, and an exit code that means something."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import wraps
from typing import Annotated, ParamSpec

import typer
from asyncpg import PostgresError
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError

from backend._internal.background_tasks import find_rooms
from backend.cli.output import err
from backend.db.migrate import prepare
from backend.db.session import open_database
from backend.errors import (
    BacklineError,
    Conflict,
    InvalidInput,
    Misconfigured,
    NotFound,
    Unavailable,
    UnknownRun,
    UnknownTask,
)
from backend.runtime.audit import Actor, actor
from backend.runtime.telemetry import set_up_logging
from backend.settings import Settings, get_settings

P = ParamSpec("P")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]


class ExitCode(IntEnum):
    """How a command ends."""

    OK = 0
    FAILED = 1  # the work failed, a check failed, or something needed is away
    USAGE = 2  # the command line or an input cannot be read
    NOT_FOUND = 3  # what was named does not exist
    CONFLICT = 4  # what was named is in a state that forbids this
    INTERRUPTED = 130  # Ctrl+C


HINTS: tuple[tuple[type[BacklineError], str], ...] = (
    (UnknownRun, "`backline runs list` shows the runs there are"),
    (UnknownTask, "`backline tasks` lists the tasks there are"),
    (Misconfigured, "`backline doctor` checks the settings"),
    (Unavailable, "`backline doctor` says what is away"),
)


def exit_code(error: BacklineError) -> ExitCode:
    """The code that says what kind of error it was."""
    for kind, code in (
        (InvalidInput, ExitCode.USAGE),
        (NotFound, ExitCode.NOT_FOUND),
        (Conflict, ExitCode.CONFLICT),
    ):
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED


def complain(error: BacklineError) -> ExitCode:
    """Say on standard error what went wrong, where, and what to do, in one line."""
    where = f" [{error.field}]" if error.field and error.field not in error.detail else ""
    hint = next((f" ({text})" for kind, text in HINTS if isinstance(error, kind)), "")
    err.print(f"error: {error.detail}{where}{hint}", style="red", markup=False, highlight=False, soft_wrap=True)
    return exit_code(error)


def command(function: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Make a coroutine function a command: run it, and turn its errors into lines and exit codes."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        set_up_logging("WARNING")
        try:
            asyncio.run(function(*args, **kwargs))
        except BacklineError as error:
            raise typer.Exit(complain(error)) from None
        except (DBAPIError, PostgresError) as error:
            said = (str(error.orig if isinstance(error, DBAPIError) else error).splitlines() or [""])[0]
            away = Unavailable(f"the database does not do what it should: {said}", field="DATABASE_URL")
            raise typer.Exit(complain(away)) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None

    return run


@asynccontextmanager
async def ledger() -> AsyncIterator[Settings]:
    """The database, open and migrated, and every task known. Raises Misconfigured."""
    settings = get_settings()
    async with open_database(settings.database) as database:
        await prepare(database)
        find_rooms()
        actor.set(Actor(os.environ.get("USER") or "root", "terminal"))
        yield settings


def moment(text: str) -> datetime:
    """A point in time: ISO 8601 (UTC when no zone is given), or an age such as `30m`, `2h`, `7d`. Raises InvalidInput."""
    if age := re.fullmatch(r"(\d+)([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[age[2]]
        return datetime.now(UTC) - timedelta(**{unit: int(age[1])})
    try:
        parsed = TypeAdapter(datetime).validate_python(text)
    except ValidationError:
        raise InvalidInput(
            f"{text!r} is no point in time: write 2h, 7d, or 2026-11-23T09:00Z", field="--since"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
