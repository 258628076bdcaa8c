"""`backline serve`, `backline worker`, `backline migrate`: the processes, and the database they stand on."""

import logging
import os
import sys
from typing import Annotated

import typer

from backend.api.app import traced_app
from backend.api.serving import serving
from backend.cli.output import out
from backend.cli.session import command
from backend.db.migrate import migrate as run_migrations
from backend.db.migrate import revisions
from backend.db.session import open_database
from backend.runtime.stopping import stop_signals
from backend.settings import get_settings

logger = logging.getLogger(__name__)

PATIENCE_S = 10


@command
async def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: HTTP_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on. Default: HTTP_PORT.")] = None,
) -> None:
    """The API, and runs in the same process unless WORKERS_ENABLED=0. A stop drains; a second one does not wait."""
    settings = get_settings()
    if host is not None:  # who may do what depends on it, too
        settings.http = settings.http.model_copy(update={"http_host": host})
    from backend.dashboard.mount import mount_desk  # it takes a second to import, which no other command needs

    app = mount_desk(traced_app(settings), settings)
    where = settings.http.http_host, settings.http.http_port if port is None else port
    async with stop_signals() as stop, serving(app, *where, patience_s=PATIENCE_S) as url:
        logger.info("listening on %s", url)
        await stop.wait()
        logger.info("stopping")


def worker() -> None:
    """Execute runs, without HTTP. A stop lets them finish; a second one does not wait."""
    # It is an entry of its own: this process becomes it.
    os.execv(sys.executable, [sys.executable, "-m", "backend.worker"])


@command
async def migrate() -> None:
    """Bring the database to the revision this code needs. Safe to repeat, and from several machines at once."""
    async with open_database(get_settings().database) as database:
        before, _ = await revisions(database)
        await run_migrations(database)
        after, _ = await revisions(database)
    out.print(f"the database is at {after}" + ("" if before == after else f", it was at {before or 'nothing'}"))
