"""XRPC, the AT Protocol's calls over HTTP, with its errors as ours."""

import email.utils
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

from backend.adapters.dpop import fetch_proven
from backend.adapters.outbound import Answer, Content, Outbound
from backend.errors import BadAnswer, RateLimited, Refused, TooLarge, Unavailable

TOKEN_ERRORS = {"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired"}
SAID_LIMIT = 300
UPLOAD_TIMEOUT_S = 1800.0


class TokenRefused(Refused):
    """The server does not take the token. Who holds the account decides what follows."""

    status, title = 401, "Token refused"


class Xrpc:
    """One server, called as one account or as nobody. A `key` (PEM) says that the token is bound to it.

    `proxy` names a service of the network, such as `did:web:api.bsky.chat#bsky_chat`, that the server asks for the account.
    """

    def __init__(
        self, http: Outbound, service: str, token: str | None = None, key: str | None = None, proxy: str | None = None
    ) -> None:
        self.service = service.rstrip("/")
        self._http = http
        self._token = token
        self._key = key
        self._proxy = proxy

    async def query(self, method: str, **params: str) -> dict[str, Any]:
        """Ask. `method` is an NSID. Raises RateLimited, Unavailable, Refused, and TokenRefused."""
        return await self._call("GET", method, params=params)

    async def procedure(self, method: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Change something. Raises the same."""
        if body is None:
            return await self._call("POST", method)
        return await self._call("POST", method, {"Content-Type": "application/json"}, json.dumps(body).encode())

    async def upload(
        self, method: str, mime: str, size: int, content: Callable[[], AsyncIterator[bytes]]
    ) -> dict[str, Any]:
        """Send `size` bytes, which `content` gives anew for each try. Raises the same, and TooLarge."""
        return await self._call("POST", method, {"Content-Type": mime, "Content-Length": str(size)}, content)

    async def _call(
        self,
        verb: str,
        method: str,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = {"Accept": "application/json", **(headers or {})}
        if self._proxy is not None:
            sent["atproto-proxy"] = self._proxy
        answer = await self._fetch(verb, f"{self.service}/xrpc/{method}", params, sent, content)
        if answer.status == 200:
            found = answer.json() if answer.body else {}
            if not isinstance(found, dict):
                raise BadAnswer(f"{method} answered with something that is no object")
            return found
        raise error_of(method, answer)

    async def _fetch(
        self, verb: str, url: str, params: Mapping[str, str] | None, headers: dict[str, str], content: Content | None
    ) -> Answer:
        timeout_s = UPLOAD_TIMEOUT_S if callable(content) else None
        if self._key is not None:
            return await fetch_proven(
                self._http, verb, url, key=self._key, token=self._token, params=params, headers=headers,
                content=content, timeout_s=timeout_s,
            )  # fmt: skip
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return await self._http.fetch(verb, url, params=params, headers=headers, content=content, timeout_s=timeout_s)


def error_of(asked: str, answer: Answer) -> Exception:
    """What an answer that is no success means. `asked` is the method, or the server, for people. OAuth says it alike."""
    name, said = _said(answer)
    words = f"{asked} answered {answer.status}{f' {name}' if name else ''}{f': {said}' if said else ''}"
    if answer.status == 429:
        return RateLimited(words, after=retry_after(answer.headers))
    if answer.status >= 500:
        return Unavailable(words, after=retry_after(answer.headers))
    if answer.status == 401 or name in TOKEN_ERRORS:
        return TokenRefused(words, name=name)
    if answer.status == 413:
        return TooLarge(words)
    if 300 <= answer.status < 400:
        return BadAnswer(f"{words}: it sends us elsewhere, which is not followed")
    return Refused(words, name=name)


def _said(answer: Answer) -> tuple[str, str]:
    """The error's name and message, shortened. Empty where the body says none."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    return str(found.get("error") or "")[:100], str(found.get("message") or found.get("error_description") or "")[
        :SAID_LIMIT
    ]


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """How long to wait: Retry-After in seconds or as a date, else the `ratelimit-reset` that a PDS sends (Unix time)."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return timedelta(seconds=min(int(asked), 10**8))
    if asked:
        date = email.utils.parsedate_tz(asked)
        if date is not None:
            return _until(email.utils.mktime_tz(date))
    reset = headers.get("ratelimit-reset", "").strip()
    return _until(int(reset)) if reset.isascii() and reset.isdigit() and len(reset) < 12 else None


def _until(moment: float) -> timedelta:
    return timedelta(seconds=max(0.0, moment - time.time()))
