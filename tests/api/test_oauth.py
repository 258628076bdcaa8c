"""OAuth over HTTP, with a real authorization server: begun and ended in one browser, and by no other site."""

from collections.abc import AsyncIterator
from secrets import token_hex
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from backend._internal.sign_in_cookie import COOKIE
from backend.api.app import create_app
from backend.api.oauth import BROWSER_COOKIE
from backend.api.serving import serving
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.network.person import Person
from tests.network.server import NetworkServer


@pytest.fixture
async def api(
    network: NetworkServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The platform. Cookies are sent as a test says: the client keeps none that are for https only."""
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{token_hex(4)}", RUNNER_SHUTDOWN_GRACE_S="0.3",
        ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1", SIGN_IN_ATTEMPTS="3",
    )  # fmt: skip
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


def _here(url: str) -> str:
    """The part of a URL of ours that leads to the platform on whatever port."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == "http://127.0.0.1:8000"
    return f"{parts.path}?{parts.query}"


def _set_by(answer: httpx.Response) -> dict[str, list[str]]:
    """The cookies that an answer sets, each with its value and its attributes."""
    lines = [line.split("; ") for line in answer.headers.get_list("set-cookie")]
    return {line[0].partition("=")[0]: [line[0].partition("=")[2], *line[1:]] for line in lines}


async def _begin(api: httpx.AsyncClient, **more: str) -> tuple[str, dict[str, str]]:
    """Where the owner decides, and the header with the browser's cookie."""
    begun = await api.post("/session/oauth", json={"identifier": "alice.test"} | more)
    assert begun.status_code == 201, begun.text
    assert begun.headers["cache-control"] == "no-store"
    value, *attributes = _set_by(begun)[BROWSER_COOKIE]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Max-Age=600", "Path=/"} == set(attributes)
    assert value not in begun.text
    return begun.json()["url"], {"Cookie": f"{BROWSER_COOKIE}={value}"}


async def test_a_browser_comes_back_with_a_cookie_that_scripts_cannot_read(
    api: httpx.AsyncClient, network: NetworkServer
) -> None:
    url, cookie = await _begin(api, return_to="/t/42?from=here")
    back = await Person(network.pds_url).allow(url, network.alice)
    done = await api.get(_here(back), headers=cookie | {"Sec-Fetch-Site": "cross-site"})
    assert (done.status_code, done.headers["location"]) == (303, "/t/42?from=here")
    assert (done.headers["cache-control"], done.headers["referrer-policy"]) == ("no-store", "no-referrer")
    value, *attributes = _set_by(done)[COOKIE]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Max-Age=2592000", "Path=/"} == set(attributes)
    assert _set_by(done)[BROWSER_COOKIE][0] == '""'
    signed_in = {"Cookie": f"{COOKIE}={value}"}
    shown = (await api.get("/session", headers=signed_in)).json()
    assert (shown["did"], shown["account"]["state"]) == (network.alice.did, "active")
    again = await api.get(_here(back), headers=cookie)
    assert (again.status_code, "set-cookie" in again.headers) == (401, False)
    ended = await api.delete("/session", headers=signed_in | {"Sec-Fetch-Site": "same-origin"})
    assert ended.status_code == 204


async def test_somebody_elses_answer_signs_nobody_in(api: httpx.AsyncClient, network: NetworkServer) -> None:
    """An attacker hands a victim the end of the attacker's own sign-in."""
    for victims in ({}, (await _begin(api))[1]):
        url, _ = await _begin(api)
        back = await Person(network.pds_url).allow(url, network.alice)
        refused = await api.get(_here(back), headers=victims)
        assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        assert "another browser" in refused.json()["detail"]


async def test_who_denies_is_told_so(api: httpx.AsyncClient, network: NetworkServer) -> None:
    url, cookie = await _begin(api)
    denied = await api.get(_here(await Person(network.pds_url).deny(url)), headers=cookie)
    assert (denied.status_code, "access_denied" in denied.json()["detail"]) == (403, True)


async def test_another_site_begins_nothing(api: httpx.AsyncClient) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = await api.post("/session/oauth", json={"identifier": "alice.test"}, headers=headers)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    form = await api.post("/session/oauth", content=b"{}", headers={"Content-Type": "text/plain"})
    assert form.status_code == 422


async def test_too_many_attempts_make_a_pause_for_both_ways_in(api: httpx.AsyncClient) -> None:
    for _ in range(3):
        await _begin(api)
    for path, more in (("/session/oauth", {}), ("/session", {"app_password": "x"})):
        limited = await api.post(path, json={"identifier": "alice.test"} | more)
        assert limited.status_code == 429
        assert 0 < int(limited.headers["retry-after"]) <= 300


@pytest.mark.parametrize(
    "return_to",
    ["", "https://evil.example", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example",
     "/a\\b", "/a b", "/a\nb", "javascript:alert(1)", "t/1"],
)  # fmt: skip
async def test_nobody_is_led_elsewhere_afterwards(api: httpx.AsyncClient, return_to: str) -> None:
    refused = await api.post("/session/oauth", json={"identifier": "alice.test", "return_to": return_to})
    assert (refused.status_code, refused.json()["field"]) == (422, "return_to")


@pytest.mark.parametrize("query", ["", "state=", "state=unknown", "state=%00%ff", "code=1&iss=2", f"state={'x' * 201}"])
async def test_an_answer_to_nothing(api: httpx.AsyncClient, query: str) -> None:
    refused = await api.get(f"/oauth/callback?{query}")
    assert refused.status_code in (401, 422)
    assert refused.headers["content-type"] == "application/problem+json"


async def test_servers_know_us_by_a_document(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await api.get("/oauth/client-metadata.json")).status_code == 404
    set_environment(monkeypatch, HTTP_PUBLIC_URL="https://music.example.com/")
    shown = (await api.get("/oauth/client-metadata.json")).json()
    assert shown["client_id"] == "https://music.example.com/oauth/client-metadata.json"
    assert shown["redirect_uris"] == ["https://music.example.com/oauth/callback"]
    assert shown["scope"].split()[0] == "atproto"
    assert {"repo:fm.backline.track", "repo:fm.teal.feed.play", "blob:audio/*"} <= set(shown["scope"].split())
    assert "transition:generic" not in shown["scope"]
    set_environment(monkeypatch, HTTP_PUBLIC_URL="http://music.example.com")
    refused = await api.post("/session/oauth", json={"identifier": "alice.test"})
    assert (refused.status_code, refused.json()["field"]) == (500, "HTTP_PUBLIC_URL")


async def test_on_a_loopback_address_the_id_says_everything(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for public, redirect in (
        ("http://localhost:9000", "http://127.0.0.1:9000/oauth/callback"),
        ("http://[::1]:9000", "http://[::1]:9000/oauth/callback"),
    ):
        set_environment(monkeypatch, HTTP_PUBLIC_URL=public)
        url, _ = await _begin(api)
        [client_id] = parse_qs(urlsplit(url).query)["client_id"]
        assert client_id.startswith("http://localhost?")
        assert parse_qs(urlsplit(client_id).query)["redirect_uri"] == [redirect]
