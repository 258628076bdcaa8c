"""Problem details: one shape for every error, and nothing of our inside."""

import inspect
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from backend import errors
from backend.api.boundary import RequestBoundary
from backend.api.problems import install_problems
from backend.errors import AuthExpired, BacklineError, RateLimited, Refused, Snooze

SECRET = "postgresql://me:hunter2@db/backline"

SPECIAL = {
    AuthExpired: AuthExpired("sign in", subject="account:x"),
    Refused: Refused("the other server said no", name="InvalidSwap"),
    Snooze: Snooze(after=timedelta(seconds=1)),
}
KNOWN = [
    SPECIAL.get(kind) or kind("this went wrong", field="name")
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, BacklineError)
]


@pytest.fixture
def app() -> FastAPI:
    """An application whose routes raise."""
    made = FastAPI()
    made.add_middleware(RequestBoundary)
    install_problems(made)
    return made


async def answer(app: FastAPI, method: str = "GET", path: str = "/raise", **options: object) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, **options)  # type: ignore[arg-type]


def raising(app: FastAPI, error: Exception) -> None:
    @app.get("/raise")
    async def fail() -> None:
        raise error


@pytest.mark.parametrize("error", KNOWN, ids=lambda error: type(error).__name__)
async def test_every_error_of_ours_knows_its_answer(app: FastAPI, error: BacklineError) -> None:
    raising(app, error)
    response = await answer(app)
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["title"]) == (error.status, error.status, error.title)
    assert (body["detail"], body["instance"]) == (error.detail, "/raise")
    assert body["type"].startswith("urn:backline:problem:")
    assert body["request_id"] == response.headers["x-request-id"]


async def test_retry_after_is_whole_seconds_rounded_up(app: FastAPI) -> None:
    raising(app, RateLimited("slow down", after=timedelta(seconds=1.2)))
    response = await answer(app)
    assert (response.status_code, response.headers["retry-after"], response.json()["retry_after"]) == (429, "2", 2)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError(SECRET), 500), (OperationalError(SECRET, {}, Exception(SECRET)), 503)]
)
async def test_what_nobody_foresaw_keeps_its_secrets(
    app: FastAPI, error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    raising(app, error)
    response = await answer(app)
    assert response.status_code == status
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text
    assert SECRET in caplog.text
    assert response.json()["request_id"]


async def test_unknown_paths_and_methods(app: FastAPI) -> None:
    raising(app, ValueError("never asked"))
    assert (await answer(app, path="/nowhere")).json()["detail"] == "there is nothing at /nowhere"
    wrong = await answer(app, "DELETE")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2:3_4", True), ("a b", False), ("x" * 129, False), ("", False)])
async def test_a_sane_request_id_is_kept(app: FastAPI, sent: str, kept: bool) -> None:
    response = await answer(app, path="/nowhere", headers={"X-Request-ID": sent})
    assert (response.headers["x-request-id"] == sent) is kept
    assert response.headers["x-request-id"]
