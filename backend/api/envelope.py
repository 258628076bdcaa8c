"""Errors in the envelope that the library crew's clients know, in place of problem details."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.api.body import SmallBody
from backend.api.problems import TITLES
from backend.errors import BacklineError, NotFound, RateLimited, Unavailable

CODES: tuple[tuple[type[BacklineError], str], ...] = (
    (RateLimited, "RATE_LIMITED"),
    (NotFound, "NOT_FOUND"),
    (Unavailable, "DEPENDENCY_ERROR"),
)


class Envelope(SmallBody):
    """A route whose errors are `{"ok": false, "error": {"code", "message", "meta"}}`, with the usual status."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, its errors enveloped."""
        handle = super().get_route_handler()

        async def enveloped(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                if first["type"] == "json_invalid":
                    return _answer(400, "VALIDATION_ERROR", f"the body is not JSON: {first['ctx']['error']}", {})
                where = ".".join(map(str, first["loc"][1:]))
                return _answer(422, "VALIDATION_ERROR", f"{where or first['loc'][0]}: {first['msg']}", {})
            except HTTPException as error:
                # What ended the reading of a body stands behind it.
                if isinstance(error.__cause__, BacklineError):
                    return _known(error.__cause__)
                return _answer(error.status_code, "VALIDATION_ERROR", str(error.detail), {})
            except BacklineError as error:
                return _known(error)

        return enveloped


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route of this family may answer besides success, for its OpenAPI entry."""
    example = {"ok": False, "error": {"code": "VALIDATION_ERROR", "message": "what went wrong this time", "meta": {}}}
    answer = {"content": {"application/json": {"schema": {"type": "object"}, "example": example}}}
    return {status: {"description": TITLES[status], **answer} for status in statuses}


def _known(error: BacklineError) -> JSONResponse:
    code = next((code for kind, code in CODES if isinstance(error, kind)), "VALIDATION_ERROR")
    after = getattr(error, "after", None)
    meta = {"retry_after_ms": round(after.total_seconds() * 1000)} if after else {}
    return _answer(error.status, code, error.detail, meta)


def _answer(status: int, code: str, message: str, meta: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"ok": False, "error": {"code": code, "message": message, "meta": meta}}, status)
