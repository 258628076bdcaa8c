"""The boundary of a request: its id, what it is as the cause of runs, and where an unforeseen error ends."""

import logging
import re
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.problems import unexpected
from backend.db.ids import new_id
from backend.domains.federation.oauth_client import CALLBACK_PATH
from backend.runtime.context import requester
from backend.runtime.telemetry import request_id

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
PATH_LIMIT = 300


class RequestBoundary:
    """Gives each request an id (the caller's X-Request-ID when it is sane) and returns it in the response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        current = given if SANE.fullmatch(given) else new_id()
        token = request_id.set(current)
        # Runs that are enqueued from here on name the request that asked for them.
        asked = requester.set(f"{scope['method']} {quote(scope['path'])[:PATH_LIMIT]} {current}")
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if scope["path"] == CALLBACK_PATH:
                    # The server logs the request when this is sent, and a code is nothing for a log.
                    scope["query_string"] = b""
                MutableHeaders(scope=message)[HEADER] = current
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            logger.info("%s %s: the client went away", scope["method"], scope["path"])
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await unexpected(Request(scope))(scope, receive, send_with_id)
        finally:
            requester.reset(asked)
            request_id.reset(token)
