"""A real HTTP server inside an entry: started, awaited, and ended by the entry and not by signals of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from fastapi import FastAPI

from backend.errors import Misconfigured


class _Server(uvicorn.Server):
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        # The entry that runs the server answers signals itself.
        return nullcontext()


@asynccontextmanager
async def serving(
    app: FastAPI, host: str = "127.0.0.1", port: int = 0, patience_s: int = 5, chosen_by: str = "--port"
) -> AsyncIterator[str]:
    """The application on this address until the block ends; port 0 takes a free one. Gives its base URL.

    At the end requests may go on for `patience_s`. Raises Misconfigured when the address cannot be had, and says that
    `chosen_by` chooses another; and whatever the application raises while it starts.
    """
    listener = _bound(host, port, chosen_by)
    shown = f"[{host}]" if ":" in host else host
    # The lifespan is entered here and not by the server, which would turn its errors into a printed traceback.
    with listener:
        async with app.router.lifespan_context(app):
            server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=patience_s))
            running = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
            try:
                while not server.started and not running.done():  # noqa: ASYNC110  it tells in no other way
                    await asyncio.sleep(0.01)
                yield f"http://{shown}:{listener.getsockname()[1]}"
            finally:
                app.state.closing.set()
                server.should_exit = True
                await running


def _bound(host: str, port: int, chosen_by: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends each answer at once (TCP_NODELAY); else a client may wait 40 ms for its end.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with {chosen_by}", field="HTTP_PORT"
        ) from None
    return listener
