"""The HTTP application: its routes, its errors, and what it opens for as long as it lives."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

import logfire
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse

from backend._internal.background import background
from backend.api import (
    albums,
    artwork,
    board,
    comments,
    dead,
    dlq,
    exports,
    health,
    job_runs,
    job_schedules,
    likes,
    live_logs,
    log_lines,
    metrics,
    oauth,
    objects,
    own_tracks,
    player,
    plays,
    preferences,
    profile,
    publications,
    queues,
    reports,
    runs,
    saved_audio,
    schedules,
    session,
    steps,
    tracks,
    troubles,
)
from backend.api.boundary import RequestBoundary
from backend.api.closing import closing_on_signals
from backend.api.cors import PlayerCors
from backend.api.kept import Kept
from backend.api.problems import Problem, install_problems, problems
from backend.api.rate_limit import RateLimit, counting_requests
from backend.db.session import database
from backend.domains.federation.oauth_client import CALLBACK_PATH
from backend.runtime.telemetry import set_up_logging, set_up_tracing, trace_database
from backend.settings import Settings
from backend.storage import open_storage

logger = logging.getLogger(__name__)

ROUTERS = (
    session.router,
    profile.router,
    oauth.router,
    tracks.router,
    steps.router,
    artwork.router,
    own_tracks.router,
    publications.router,
    saved_audio.router,
    likes.router,
    albums.router,
    comments.router,
    plays.router,
    preferences.router,
    exports.router,
    reports.router,
    runs.router,
    dead.router,
    queues.router,
    schedules.router,
    job_runs.router,
    job_schedules.router,
    log_lines.router,
    live_logs.router,
    dlq.router,
    board.router,
    objects.router,
    player.router,
    health.router,
    metrics.router,
    troubles.router,
)

TAGS = [
    {"name": "session", "description": "Sign in with an account of the AT Protocol, see who you are, sign out."},
    {"name": "profile", "description": "What you say of yourself, here and on your own server."},
    {"name": "tracks", "description": "Upload audio, follow how it becomes playable, play it."},
    {"name": "own tracks", "description": "What owners do with their tracks: replace the audio, go back, remove."},
    {"name": "publication", "description": "A track's record on its artist's own server."},
    {"name": "likes", "description": "Like tracks; the likes are written to the listener's own server."},
    {"name": "comments", "description": "Say something about a moment of a track; it is written to one's own server."},
    {"name": "plays", "description": "Count what is heard, and scrobble it for who wants that."},
    {"name": "preferences", "description": "What an account chose."},
    {"name": "albums", "description": "An artist's tracks in an order, also as a list on the artist's own server."},
    {"name": "exports", "description": "An artist's tracks as one archive."},
    {"name": "reports", "description": "What an admin should look at, such as two tracks with the same sound."},
    {"name": "runs", "description": "Every piece of background work: find it, follow it, cancel it, requeue it."},
    {"name": "dead runs", "description": "What failed for good, grouped by error; requeue or purge it."},
    {"name": "queues", "description": "Backlogs and limits; pause and resume queues and tasks."},
    {"name": "schedules", "description": "What runs by itself, and what operators change about it."},
    {"name": "curators' jobs", "description": "The curators' queue, as its own clients know it."},
    {"name": "scheduled jobs", "description": "Schedules and logs, as the merch desk's own clients know them."},
    {"name": "objects", "description": "Stored objects by URL."},
    {"name": "health", "description": "Live, ready and degraded are three different things."},
]


def create_app(settings: Settings) -> FastAPI:
    """The application with these settings. Nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            closing_on_signals() as closing,
            open_storage(settings),
            counting_requests(settings) as counts,
            background(settings),
        ):
            app.state.closing, app.state.request_counts = closing, counts
            trace_database(database())
            yield
            # Streams that are still open end before the runner does.
            closing.set()

    app = FastAPI(
        title="Backline",
        summary="The backend of an independent audio platform, and the crew behind it.",
        version=_version(),
        lifespan=lifespan,
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings = settings
    app.state.jobs = Kept(live_logs.load_jobs, live_logs.UPDATE_S)
    app.state.board = Kept(board.load_board, board.REFRESH_S)
    app.add_middleware(RateLimit, http=settings.http)
    app.add_middleware(RequestBoundary)
    app.add_middleware(PlayerCors, origins=settings.http.player_origins)
    install_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/", _to_docs, include_in_schema=False)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _version() -> str:
    try:
        return version("backline")
    except PackageNotFoundError:
        return "checkout"


def traced_app(settings: Settings) -> FastAPI:
    """The application with the logs and the traces of an HTTP process: what the entries run."""
    set_up_logging(settings.http.log_level, settings.http.log_format)
    app = create_app(settings)
    if set_up_tracing("backline-api", settings):
        trace_requests(app)
    return app


def trace_requests(app: FastAPI) -> None:
    """Let each request be a span, but for the one whose address carries a code."""
    logfire.instrument_fastapi(app, excluded_urls=CALLBACK_PATH)


async def _to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")


def _described(app: FastAPI) -> dict[str, object]:
    """The OpenAPI document. Errors are problem details everywhere, so the framework's own error shape is left out."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=app.openapi_tags
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    malformed, refused = problems(400, 422).values()
    for operation in (each for path in document["paths"].values() for each in path.values()):
        theirs = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
        if "$ref" in theirs.get("schema", {}):
            operation["responses"]["422"] = refused
        if "requestBody" in operation:  # bytes that are no JSON are a 400, whatever the route
            operation["responses"].setdefault("400", malformed)
    app.openapi_schema = document
    return document
