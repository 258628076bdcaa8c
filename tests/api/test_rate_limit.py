"""Who asks too often is refused for a while, by all processes together, and nothing that plays is counted."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from backend.api.app import create_app
from backend.api.serving import serving
from backend.db.ids import new_id
from backend.domains.federation.sign_ins import open_sign_in
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.servers import RedisServer


@pytest.fixture(params=["memory", "redis"])
async def two(
    request: pytest.FixtureRequest, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two applications that share a database, and with Redis their counts."""
    url = redis_url if request.param == "redis" else f"memory://{new_id()}"
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=url, DOCKET_NAME=f"test-{new_id()}", FEATURE_RATE_LIMITING="1",
        RATE_LIMIT_REQUESTS="6", RATE_LIMIT_WINDOW_S="30", RUNNER_SHUTDOWN_GRACE_S="0.5",
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2 if request.param == "redis" else 1):
            served = await stack.enter_async_context(serving(create_app(get_settings())))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=served, timeout=30)))
        yield clients


async def test_too_many_requests_are_refused(two: list[httpx.AsyncClient]) -> None:
    answers = [(await two[number % len(two)].get("/tracks")).status_code for number in range(7)]
    assert answers == [200] * 6 + [429]
    refused = await two[0].get("/tracks")
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert refused.json()["retry_after"] == int(refused.headers["retry-after"])
    assert refused.headers["x-request-id"]
    # Another caller is another count, and what machines ask is none.
    headers = {"Authorization": f"Bearer {await open_sign_in('did:plc:alice')}"}
    assert (await two[0].get("/tracks", headers=headers)).status_code == 200
    assert {(await two[0].get("/health/live")).status_code for _ in range(10)} == {200}
    assert (await two[0].get("/tracks/none/hls/master.m3u8")).status_code == 404


async def test_without_redis_nobody_is_refused(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer() as server:
        set_environment(
            monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=server.url, DOCKET_NAME=f"test-{new_id()}",
            FEATURE_RATE_LIMITING="1", RATE_LIMIT_REQUESTS="1", RUNNER_SHUTDOWN_GRACE_S="0.5",
        )  # fmt: skip
        async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            assert [(await client.get("/tracks")).status_code for _ in range(2)] == [200, 429]
            server.stop()
            assert (await client.get("/tracks")).status_code == 200
