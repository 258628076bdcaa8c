"""A worker that can be watched: the metrics and the health of a process that serves no API."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from backend.api import health, metrics
from backend.api.boundary import RequestBoundary
from backend.api.problems import install_problems
from backend.api.serving import serving
from backend.settings import Settings

logger = logging.getLogger(__name__)


@asynccontextmanager
async def watched(settings: Settings) -> AsyncIterator[str | None]:
    """Answer /metrics and /health on METRICS_PORT until the block ends, by the API's rules of who may look.

    Gives the base URL, or None when METRICS_PORT is unset. Raises Misconfigured when the port cannot be had.
    """
    if settings.http.metrics_port is None:
        yield None
        return
    app = FastAPI(openapi_url=None)
    app.state.settings, app.state.closing = settings, asyncio.Event()
    app.add_middleware(RequestBoundary)
    install_problems(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    where = settings.http.http_host, settings.http.metrics_port
    async with serving(app, *where, chosen_by="METRICS_PORT") as url:
        logger.info("metrics on %s/metrics", url)
        yield url
