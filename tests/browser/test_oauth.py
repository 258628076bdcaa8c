"""Sign in with OAuth in Chromium: our cookies survive the way to the account's server and back, on its real pages."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend._internal.sign_in_cookie import COOKIE
from backend.api.oauth import BROWSER_COOKIE
from tests.browser.server import BacklineServer
from tests.network.server import NetworkServer

# The first test waits for the servers and the browser.
pytestmark = pytest.mark.timeout(300)

BEGIN = """
fetch("/session/oauth", {
  method: "POST",
  headers: {"Content-Type": "application/json"},
  body: JSON.stringify({identifier: "alice.test", return_to: "/session"}),
}).then(answer => answer.json()).then(begun => { location = begun.url })
"""


class SignInServer(BacklineServer):
    """A server that finds accounts in the network on this machine."""

    def __init__(self, network: NetworkServer) -> None:
        super().__init__()
        self._network = network

    @property
    def environment(self) -> dict[str, str]:
        """What leads there, and back here."""
        return super().environment | {
            "ATPROTO_PLC_URL": self._network.plc_url,
            "ATPROTO_HANDLE_URL": self._network.pds_url,
            "OUTBOUND_PRIVATE": "1",
            "HTTP_PUBLIC_URL": self.url,
        }


@pytest.fixture(scope="module")
def server(network: NetworkServer) -> Iterator[BacklineServer]:
    """A running server."""
    with SignInServer(network) as started:
        yield started


def _begin(page: Page) -> None:
    page.goto("/health/live")
    page.evaluate(BEGIN)
    page.wait_for_url("**/oauth/authorize?**")


def _sign_in(page: Page, network: NetworkServer) -> None:
    """On the server's own page, which knows already who is meant."""
    expect(page.get_by_text("alice.test").or_(page.locator("input[value='alice.test']")).first).to_be_visible()
    page.get_by_role("textbox", name="Password").fill(network.alice.password)
    page.get_by_role("button", name="Sign in").click()


def test_alice_signs_in_and_out(page: Page, server: BacklineServer, network: NetworkServer) -> None:
    _begin(page)
    _sign_in(page, network)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{server.url}/session")
    shown = json.loads(page.inner_text("body"))
    assert (shown["did"], shown["account"]["state"]) == (network.alice.did, "active")
    kept = {cookie["name"]: cookie for cookie in page.context.cookies(server.url)}
    assert (kept[COOKIE]["httpOnly"], kept[COOKIE]["secure"], BROWSER_COOKIE in kept) == (True, True, False)
    assert page.evaluate("fetch('/session', {method: 'DELETE'}).then(answer => answer.status)") == 204
    assert page.goto("/session").status == 401


def test_who_denies_is_told_so(page: Page, server: BacklineServer, network: NetworkServer) -> None:
    _begin(page)
    _sign_in(page, network)
    page.get_by_role("button", name="Deny access").click()
    page.wait_for_url(f"{server.url}/oauth/callback?**")
    assert "access_denied" in page.inner_text("body")
    assert page.goto("/session").status == 401


def test_who_opens_somebody_elses_sign_in_is_not_signed_in(
    page: Page, browser: Browser, server: BacklineServer
) -> None:
    _begin(page)
    with browser.new_context(base_url=server.url) as other:
        victim = other.new_page()
        # The account's server sends them back at once, and here nothing is known of them either.
        victim.goto(page.url)
        victim.wait_for_url(f"{server.url}/oauth/callback?**")
        assert "another browser" in victim.inner_text("body")
        assert other.cookies(server.url) == []
