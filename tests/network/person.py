"""A person with a browser at the authorization server: the requests that its pages make, without a browser."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.network.server import Account

API = "/@atproto/oauth-provider/~api"
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FETCH = {"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Person:
    """Opens an authorization URL, and allows or denies. `server` is where the pages are fetched from."""

    server: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def allow(self, url: str, account: Account) -> str:
        """Sign in and allow what is asked for. Returns the URL that the browser is sent back to."""
        async with httpx.AsyncClient(base_url=self.server, timeout=30) as client:
            await self._open(client, url)
            signing = {"locale": "en", "username": account.handle, "password": account.password, "remember": False}
            signed_in = await self._post(client, url, "/sign-in", signing)
            allowed = {"sub": signed_in["account"]["sub"]}
            said = await self._post(client, url, "/consent", allowed, signed_in["ephemeralToken"])
            return await self._back(client, url, said["url"])

    async def deny(self, url: str) -> str:
        """Say no. Returns the URL that the browser is sent back to."""
        async with httpx.AsyncClient(base_url=self.server, timeout=30) as client:
            await self._open(client, url)
            return await self._back(client, url, (await self._post(client, url, "/reject", {}))["url"])

    async def _open(self, client: httpx.AsyncClient, url: str) -> None:
        self._keep(await client.get(_path(url), headers=NAVIGATE | {"Sec-Fetch-Site": "cross-site"}))

    async def _post(
        self, client: httpx.AsyncClient, url: str, what: str, body: dict[str, Any], token: str | None = None
    ) -> dict[str, Any]:
        headers = self._headers(url) | FETCH | {"X-CSRF-Token": self.cookies["csrf-token"]}
        headers |= {"Origin": "{0.scheme}://{0.netloc}".format(urlsplit(url))}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        answer = self._keep(await client.post(API + what, json=body, headers=headers))
        found: dict[str, Any] = answer.json()
        return found

    async def _back(self, client: httpx.AsyncClient, url: str, redirect: str) -> str:
        headers = self._headers(url) | NAVIGATE | {"Sec-Fetch-Site": "same-origin"}
        return self._keep(await client.get(_path(redirect), headers=headers)).headers["location"]

    def _headers(self, url: str) -> dict[str, str]:
        return {"Referer": url, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        assert answer.status_code < 400, answer.text
        # By hand: they are for https only, and this server is called without.
        for header in answer.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
