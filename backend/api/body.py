"""JSON bodies are small: a larger one is refused before it fills the memory."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from backend.errors import TooLarge

LIMIT = 1_000_000


class SmallBody(APIRoute):
    """A route whose body has at most a million bytes. Give it to a router as `route_class`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler, with the body counted as it comes in."""
        handle = super().get_route_handler()

        async def counted(request: Request) -> Response:
            return await handle(Request(request.scope, _counting(request)))

        return counted


def _counting(request: Request) -> Callable[[], Coroutine[Any, Any, Message]]:
    announced = request.headers.get("content-length", "")
    came = 0

    async def receive() -> Message:
        nonlocal came
        if announced.isdigit() and int(announced) > LIMIT:
            raise TooLarge(f"a body has at most {LIMIT:,} bytes, this one has {int(announced):,}", field="body")
        message = await request.receive()
        came += len(message.get("body", b""))
        if came > LIMIT:
            raise TooLarge(f"a body has at most {LIMIT:,} bytes", field="body")
        return message

    return receive
