"""Who gets to the desk: asked over HTTP, of a server that strangers can reach."""

from collections.abc import Iterator

import httpx
import pytest

from tests.dashboard.conftest import ClosedServer

pytestmark = pytest.mark.timeout(200)
FROM_HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def door(closed: ClosedServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=closed.url, headers=FROM_HERE, timeout=30) as client:
        yield client


def test_a_stranger_is_sent_to_the_sign_in_and_back(door: httpx.Client, closed: ClosedServer) -> None:
    sent = door.get("/desk/runs?q=state:dead")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/desk/sign-in?then=/desk/runs%3Fq%3Dstate%3Adead"
    assert 'value="/desk/runs?q=state:dead"' in door.get(sent.headers["location"]).text
    form = {"token": closed.token("viewer"), "then": "/desk/runs?q=state:dead"}
    entered = door.post("/desk/sign-in", data=form)
    assert (entered.status_code, entered.headers["location"]) == (303, "/desk/runs?q=state:dead")
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "did:plc:viewer" in door.get("/desk/").text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/desk/", "/desk/\\evil.example", "/runs"]
)
def test_nobody_is_sent_elsewhere(door: httpx.Client, closed: ClosedServer, elsewhere: str) -> None:
    entered = door.post("/desk/sign-in", data={"token": closed.token("viewer"), "then": elsewhere})
    assert entered.headers["location"] == "/desk/"


def test_an_artist_is_refused(door: httpx.Client, closed: ClosedServer) -> None:
    token = closed.token("artist")
    refused = door.post("/desk/sign-in", data={"token": token})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    # Neither with the cookie that the platform itself gave them.
    refused = door.get("/desk/", headers={"Cookie": f"backline_sign_in={token}"})
    assert refused.status_code == 403
    assert "viewers, operators and admins" in refused.text


def test_a_wrong_token_is_refused(door: httpx.Client) -> None:
    refused = door.post("/desk/sign-in", data={"token": "mistyped"})
    assert refused.status_code == 401
    assert "does not hold" in refused.text


def test_another_site_cannot_sign_anyone_in_or_out(door: httpx.Client, closed: ClosedServer) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    token = closed.token("operator")
    assert door.post("/desk/sign-in", data={"token": token}, headers=foreign).status_code == 403
    door.post("/desk/sign-in", data={"token": token})
    assert door.post("/desk/sign-out", headers=foreign).status_code == 403
    assert door.get("/desk/").status_code == 200
    assert door.post("/desk/sign-out").status_code == 303
    assert door.get("/desk/").status_code == 303


def test_pages_may_not_be_framed_and_load_nothing_from_elsewhere(door: httpx.Client) -> None:
    headers = door.get("/desk/sign-in").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), (None, 200), ("ours", 200)]
)
def test_pages_of_other_sites_get_no_connection(
    door: httpx.Client, closed: ClosedServer, origin: str | None, status: int
) -> None:
    headers = {} if origin is None else {"Origin": closed.url if origin == "ours" else origin}
    query = {"EIO": "4", "transport": "polling", "client_id": "x"}
    assert door.get("/desk/_nicegui_ws/socket.io/", params=query, headers=headers).status_code == status
