"""Every error as a problem detail (RFC 9457): one shape, the wrong field named, and nothing of our inside."""

import logging
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from backend.errors import BacklineError, SignInRequired, Unavailable
from backend.runtime.telemetry import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Malformed request",
    401: "Sign-in required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Invalid input",
    429: "Too many requests",
    500: "Internal error",
    502: "Refused elsewhere",
    503: "Unavailable",
}


class FieldProblem(BaseModel):
    """One value that was refused."""

    field: str = Field(description="Name of the input, nested names joined by dots.", examples=["limit"])
    detail: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """A problem detail, RFC 9457."""

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:backline:problem:unknown-run"])
    title: str = Field(description="The kind of problem, for people.", examples=["Unknown run"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What went wrong this time.", examples=["no run has this id"])
    instance: str = Field(description="The path that was asked for.", examples=["/runs/0192"])
    field: str | None = Field(None, description="The input that is wrong, if one is.", examples=["run_id"])
    retry_after: int | None = Field(None, description="Seconds after which another try may work.", examples=[None])
    errors: list[FieldProblem] | None = Field(None, description="Every refused input, when there are several.")
    request_id: str | None = Field(None, description="Find this request in the logs.", examples=["0192-6b1e"])


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    title: str | None = None,
    field: str | None = None,
    retry_after: int | None = None,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response that says what went wrong. Members without a value are left out."""
    title = title or TITLES.get(status, "Error")
    body = Problem(
        type=_kind(title),
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        field=field,
        retry_after=retry_after,
        errors=errors,
        request_id=request_id.get(),
    )
    sent = dict(headers or {})
    if retry_after is not None:
        sent["Retry-After"] = str(retry_after)
    return JSONResponse(body.model_dump(exclude_none=True), status, sent, media_type=MEDIA_TYPE)


def _kind(title: str) -> str:
    return f"urn:backline:problem:{title.lower().replace(' ', '-')}"


async def on_known_error(request: Request, error: BacklineError) -> JSONResponse:
    """An error raised on purpose: it knows its own answer."""
    after = None if error.after is None else max(0, math.ceil(error.after.total_seconds()))
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, SignInRequired) else None
    return problem(
        request, error.status, error.detail, title=error.title, field=error.field, retry_after=after, headers=headers
    )


async def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    """A parameter or a body that its schema refuses. Bytes that are no JSON at all are a 400."""
    refused = [FieldProblem(field=_field(item["loc"]), detail=_detail(item)) for item in error.errors()]
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(request, 400, f"the body is not JSON: {first['ctx']['error']}", field="body")
    detail = "; ".join(f"{item.field}: {item.detail}" for item in refused[:5])
    return problem(request, 422, detail, field=refused[0].field, errors=refused)


def _field(location: tuple[int | str, ...]) -> str:
    where, *path = location
    # The third value of a repeated parameter is still that parameter.
    named = path if where == "body" else path[:1]
    return ".".join(map(str, named)) if named else str(where)


def _detail(item: dict[str, Any]) -> str:
    if item["type"] == "model_attributes_type" and isinstance(item["input"], bytes):
        return "send a JSON object with Content-Type: application/json"
    return str(item["msg"]).removeprefix("Value error, ")


async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    """What the framework itself answers: unknown path, wrong method, a body it could not read."""
    if isinstance(error.__cause__, BacklineError):
        return await on_known_error(request, error.__cause__)
    details = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} is not offered at {request.url.path}",
    }
    known = error.status_code in details and error.detail in (None, "", "Not Found", "Method Not Allowed")
    detail = details[error.status_code] if known else str(error.detail)
    return problem(request, error.status_code, detail, headers=error.headers)


async def on_database_away(
    request: Request, error: OperationalError | InterfaceError | ConnectionError
) -> JSONResponse:
    """The database cannot be reached. Its address and its words stay in the log."""
    logger.warning("a part is away", exc_info=error)
    away = Unavailable("a part this needs is away; try again shortly", after=timedelta(seconds=2))
    return await on_known_error(request, away)


def unexpected(request: Request) -> JSONResponse:
    """Our own mistake. The log has the traceback under the request id."""
    return problem(request, 500, "something went wrong here; the log has it under this request_id")


def install_problems(app: FastAPI) -> None:
    """Answer every error of `app` with a problem detail."""
    app.add_exception_handler(BacklineError, on_known_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http_error)  # type: ignore[arg-type]
    for away in (OperationalError, InterfaceError, ConnectionError):
        app.add_exception_handler(away, on_database_away)  # type: ignore[arg-type]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success, for its OpenAPI entry."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    title = TITLES[status]
    example = {
        "type": _kind(title),
        "title": title,
        "status": status,
        "detail": "what went wrong this time",
        "instance": "/the/path",
        "request_id": "0192a6b1-7c1e-7d2f-8a3b-4c5d6e7f8091",
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": title, "content": content}
