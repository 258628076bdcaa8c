"""Players on other sites: what they may fetch of a track when `PLAYER_ORIGINS` names them."""

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# What plays and what is shown beside it. Runs, sign-ins and what changes anything stay closed to other sites.
OPEN = re.compile(r"/tracks/[^/]+(/(hls/.+|waveform\.\w+|(artwork|thumbnail)\.jpg))?|/objects/(public|private)/.+")
ASKED = ("Range", "If-Range", "If-None-Match")
TOLD = ("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "X-Request-ID")
PREFLIGHT_S = 86_400


class PlayerCors:
    """Answers cross-origin reads of tracks and their files (Fetch, section 3.2). Without cookies, and GET and HEAD only."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=sorted(origins),
            allow_methods=["GET", "HEAD"],
            allow_headers=ASKED,
            expose_headers=TOLD,
            max_age=PREFLIGHT_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and OPEN.fullmatch(scope["path"])
        await (self._open if is_open else self._app)(scope, receive, send)
