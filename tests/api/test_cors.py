"""Players on other sites: what PLAYER_ORIGINS opens, and what stays closed."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Response

from backend.api.cors import PlayerCors
from backend.errors import Misconfigured
from backend.settings import Settings
from tests.conftest import set_environment

RADIO = "https://radio.example"
SEGMENT = "/tracks/t1/hls/hls_opus/segment_000.m4s"


async def _answer() -> Response:
    return Response(b"x", headers={"ETag": '"1"'})


@pytest.fixture(params=[RADIO, "*"])
async def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """An application that answers everything, behind the setting."""
    set_environment(monkeypatch, PLAYER_ORIGINS=request.param)
    app = FastAPI()
    app.add_middleware(PlayerCors, origins=Settings().http.player_origins)
    for path in ("/tracks/{rest:path}", "/objects/{rest:path}", "/runs", "/runs/{rest:path}"):
        app.add_api_route(path, _answer, methods=["GET", "POST", "HEAD"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        "/tracks/t1",
        SEGMENT,
        "/tracks/t1/hls/master.m3u8",
        "/tracks/t1/waveform.json",
        "/tracks/t1/artwork.jpg",
        "/tracks/t1/thumbnail.jpg",
        "/objects/public/v1/master.m3u8",
    ],
)
async def test_a_player_elsewhere_may_fetch_what_plays(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Origin": RADIO})
    assert answer.headers["access-control-allow-origin"] in (RADIO, "*")
    assert "Content-Range" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_player_may_ask_for_a_range(client: httpx.AsyncClient) -> None:
    asked = {"Origin": RADIO, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    assert (await client.options(SEGMENT, headers=asked)).status_code == 200
    for changed in ({"Access-Control-Request-Method": "DELETE"}, {"Access-Control-Request-Headers": "authorization"}):
        assert (await client.options(SEGMENT, headers=asked | changed)).status_code == 400


@pytest.mark.parametrize("path", ["/runs", "/runs/r1/stream", "/tracks/t1/versions", "/tracks"])
async def test_everything_else_stays_closed(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Origin": RADIO})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("client", [RADIO], indirect=True)
async def test_a_site_that_is_not_named_gets_no_leave(client: httpx.AsyncClient) -> None:
    answer = await client.get(SEGMENT, headers={"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in (await client.get(SEGMENT, headers={"Origin": RADIO})).headers["vary"]


async def test_unset_it_opens_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.get("/tracks/none", headers={"Origin": RADIO})
    assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (404, None)


@pytest.mark.parametrize("value", ["radio.example", f"{RADIO}/", f"{RADIO} https://b.example", f"{RADIO},"])
def test_what_is_no_origin_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, PLAYER_ORIGINS=value)
    with pytest.raises(Misconfigured, match="PLAYER_ORIGINS: write origins like"):
        Settings()
