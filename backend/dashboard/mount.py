"""The desk inside the HTTP application: its pages, its files, its headers, and its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import MappingProxyType

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from backend._internal.sign_in_cookie import opened_here
from backend.dashboard import sign_in
from backend.dashboard.assets import FILES
from backend.dashboard.feeds import close_feeds
from backend.dashboard.pages import declare_pages
from backend.settings import Settings

PATH = "/desk"
CONNECTION = f"{PATH}/_nicegui_ws"
HEADERS = MappingProxyType(
    {
        # NiceGUI compiles its components in the browser and starts them by a script within the page.
        "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


class DeskGuard:
    """Security headers on everything under /desk, and no connection for pages of other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith(CONNECTION) and not opened_here(Headers(scope=scope)):
            await _refuse(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            elif message["type"] == "websocket.accept":
                # The server logs this request now, and whoever knows a page's id can speak for it.
                scope["query_string"] = b""
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(reason="another site's page asked")(scope, receive, send)
    else:
        await PlainTextResponse("another site's page asked", 403)(scope, receive, send)


def mount_desk(app: FastAPI, settings: Settings) -> FastAPI:
    """Give the application its desk. Once a process: NiceGUI is one for all. Returns the same application."""
    declare_pages()
    pages.state.settings = settings
    app.add_middleware(DeskGuard)
    app.include_router(sign_in.router)
    app.mount(f"{PATH}/files", StaticFiles(directory=FILES))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            try:
                yield
            finally:
                await close_feeds()

    app.router.lifespan_context = lifespan
    ui.run_with(app, mount_path=PATH, title="Backline", dark=None, tailwind=False, show_welcome_message=False)
    return app
