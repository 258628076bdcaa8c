"""The worker process, `python -m backend.worker`: the same background as the HTTP process, without the API.

It ends with 0 after a stop that was asked for, and with 1 when it could not start or could not go on.
SIGTERM or SIGINT: what runs may finish within RUNNER_SHUTDOWN_GRACE_S, the rest is handed back. A second one: at once.
"""

import asyncio
import logging
import os
import sys

from backend._internal.background import background
from backend.api.watched import watched
from backend.db.session import database
from backend.errors import BacklineError, Misconfigured
from backend.runtime.stopping import stop_signals
from backend.runtime.telemetry import set_up_logging, set_up_tracing, trace_database
from backend.settings import Settings, get_settings
from backend.storage import open_storage

logger = logging.getLogger(__name__)


async def work(settings: Settings) -> None:
    """Execute runs until a signal says stop. Raises Misconfigured when there is nothing this process could execute."""
    if settings.docket.url is None:
        raise Misconfigured("a worker takes runs from Redis: set DOCKET_URL", field="DOCKET_URL")
    if not settings.runner.workers_enabled:
        raise Misconfigured("this process is told not to work: unset WORKERS_ENABLED=0", field="WORKERS_ENABLED")
    async with stop_signals() as stop, open_storage(settings), background(settings, kind="worker"), watched(settings):
        trace_database(database())
        logger.info("worker %d is ready", os.getpid())
        await stop.wait()
        logger.info("stopping: what runs has %g s to finish", settings.runner.runner_shutdown_grace_s)
    logger.info("stopped")


def main() -> int:
    """Run a worker until it is stopped. Returns the exit code."""
    try:
        settings = get_settings()
        set_up_logging(settings.http.log_level, settings.http.log_format)
        set_up_tracing("backline-worker", settings)
        asyncio.run(work(settings))
    except BacklineError as error:
        sys.stderr.write(f"error: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
