"""The session over HTTP, with a real account: by cookie and by token, and no other site signs anybody in or out."""

from collections.abc import AsyncIterator
from secrets import token_hex

import httpx
import pytest

from backend._internal.sign_in_cookie import COOKIE
from backend.api.app import create_app
from backend.api.serving import serving
from backend.domains.federation.sign_ins import Role, open_sign_in
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.network.server import NetworkServer


@pytest.fixture(scope="session")
def password(network: NetworkServer) -> str:
    return network.app_password(network.alice)


@pytest.fixture
async def api(
    network: NetworkServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{token_hex(4)}", RUNNER_SHUTDOWN_GRACE_S="0.3",
        ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1", SIGN_IN_ATTEMPTS="3",
    )  # fmt: skip
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


def _body(password: str, **more: str) -> dict[str, str]:
    return {"identifier": "alice.test", "app_password": password} | more


async def test_a_browser_gets_a_cookie_that_scripts_cannot_read(api: httpx.AsyncClient, password: str) -> None:
    made = await api.post("/session", json=_body(password))
    assert (made.status_code, made.json()["token"], made.json()["account"]["handle"]) == (201, None, "alice.test")
    assert made.headers["cache-control"] == "no-store"
    name, *attributes = made.headers["set-cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Max-Age=2592000", "Path=/"} == set(attributes)
    cookie = {"Cookie": name}
    shown = await api.get("/session", headers=cookie)
    assert (shown.json()["account"]["state"], shown.json()["role"]) == ("active", "artist")
    ended = await api.delete("/session", headers=cookie | {"Sec-Fetch-Site": "same-origin"})
    assert (ended.status_code, 'backline_sign_in=""' in ended.headers["set-cookie"]) == (204, True)
    assert (await api.get("/session", headers=cookie)).status_code == 401


async def test_a_program_gets_a_token(api: httpx.AsyncClient, password: str) -> None:
    made = await api.post("/session", json=_body(password, by="token"))
    assert "set-cookie" not in made.headers
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await api.get("/session", headers=bearer)).json()["token"] is None
    assert (await api.delete("/session", headers=bearer)).status_code == 204
    assert (await api.delete("/session", headers=bearer)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://HOST"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
async def test_another_site_changes_nothing_with_the_cookie(
    api: httpx.AsyncClient, headers: dict[str, str], allowed: bool
) -> None:
    token = await open_sign_in("did:plc:alice", Role.OPERATOR)
    host = api.base_url.netloc.decode()
    sent = {name: value.replace("HOST", host) for name, value in headers.items()} | {"Cookie": f"{COOKIE}={token}"}
    assert (await api.get("/session", headers=sent)).status_code == 200
    refused = await api.delete("/session", headers=sent)
    assert refused.status_code == (204 if allowed else 403)
    assert (await api.get("/session", headers=sent)).status_code == (401 if allowed else 200)
    assert token not in refused.text


async def test_another_site_signs_nobody_in(api: httpx.AsyncClient, password: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = await api.post("/session", json=_body(password), headers=headers)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    # What a form of another site can send without asking is no JSON.
    form = await api.post("/session", content=b"{}", headers={"Content-Type": "text/plain"})
    assert form.status_code == 422


async def test_a_wrong_password_and_a_pause(api: httpx.AsyncClient) -> None:
    for _ in range(3):
        wrong = await api.post("/session", json=_body("some-secret-that-is-wrong"))
        assert (wrong.status_code, wrong.json()["detail"]) == (401, "the handle or the app password is wrong")
    limited = await api.post("/session", json=_body("some-secret-that-is-wrong"))
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= 300
    assert "some-secret" not in limited.text


@pytest.mark.parametrize(
    "body",
    [
        {"identifier": "alice.test"},
        {"identifier": "", "app_password": "hidden-thing"},
        {"identifier": "alice", "app_password": "hidden-thing"},
        {"identifier": "alice.test", "app_password": "hidden-thing" * 40},
        {"identifier": "alice.test", "app_password": "hidden-thing", "by": "post"},
        {"identifier": "alice.test", "app_password": "hidden-thing", "more": 1},
    ],
)
async def test_what_is_no_sign_in_is_refused_without_an_echo(api: httpx.AsyncClient, body: dict[str, object]) -> None:
    refused = await api.post("/session", json=body)
    assert refused.status_code == 422
    assert "hidden-thing" not in refused.text


async def test_a_sign_in_of_the_terminal_has_no_account(api: httpx.AsyncClient) -> None:
    bearer = {"Authorization": f"Bearer {await open_sign_in('did:plc:root', Role.ADMIN)}"}
    shown = (await api.get("/session", headers=bearer)).json()
    assert (shown["did"], shown["role"], shown["account"]) == ("did:plc:root", "admin", None)
    assert (await api.get("/session")).status_code == 401
