"""HTTP to servers that strangers name: never into a private network, never without an end.

The name is resolved once, its addresses are checked, and the connection goes to a checked one: a name that changes
between the check and the call gains nothing. Redirects are calls like any other.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from backend.adapters.addresses import is_public
from backend.errors import BadAnswer, InvalidInput, Unavailable, UnsafeAddress
from backend.settings import get_settings
from backend.settings.network import NetworkSettings

# What is called gives the same bytes anew for each try.
Content = bytes | AsyncIterator[bytes] | Callable[[], AsyncIterator[bytes]]

LIMIT_BYTES = 1_000_000
REDIRECTS = 3
AGENT = "Backline"


@dataclass(frozen=True)
class Answer:
    """What a server said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which must be JSON. Raises BadAnswer."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadAnswer("the server's answer is no JSON") from None


class Outbound:
    """A client for strangers' servers. Get one with `outbound()`."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
        limit: int = LIMIT_BYTES,
        follow: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Ask, and read the whole answer, whatever its status. `limit` is the answer's largest size in bytes.

        `timeout_s` is for what takes longer than most, such as an upload.

        Raises UnsafeAddress, InvalidInput for what is no URL, Unavailable when no answer comes in time, BadAnswer when
        it cannot be read or is too large.
        """
        host, patience_s = _host(url), timeout_s or self._timeout_s
        sent = content() if callable(content) else content
        try:
            async with asyncio.timeout(patience_s):
                request = self._client.build_request(
                    method, url, params=params, headers=headers, content=sent, timeout=patience_s
                )
                response = await self._client.send(request, stream=True, follow_redirects=follow)
                try:
                    return Answer(response.status_code, dict(response.headers), await _read(response, limit))
                finally:
                    await response.aclose()
        except TimeoutError:
            raise Unavailable(f"{host} did not answer within {patience_s:g} s") from None
        except (httpx.TooManyRedirects, httpx.RemoteProtocolError, httpx.UnsupportedProtocol) as error:
            raise BadAnswer(f"{host} cannot be understood: {error}") from None
        except httpx.TransportError as error:
            raise Unavailable(f"{host} cannot be reached: {error or type(error).__name__}") from None


async def _read(response: httpx.Response, limit: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        # It was not asked for, and a small one may unpack to anything.
        raise BadAnswer(f"{response.url.host} sent a compressed answer")
    found = bytearray()
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) > limit:
            raise BadAnswer(f"the answer of {response.url.host} is larger than {limit:,} bytes")
    return bytes(found)


def _host(url: str) -> str:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"{url[:200]!r} is no URL: {error}", field="url") from None
    if not found.host:
        raise InvalidInput(f"{url[:200]!r} names no host", field="url")
    return found.host


@asynccontextmanager
async def outbound(
    settings: NetworkSettings | None = None, allowed: Callable[[str], bool] = is_public
) -> AsyncIterator[Outbound]:
    """A client with these settings, by default those of the process. Its connections are closed at the end.

    `allowed` says of an IP address whether it may be called; OUTBOUND_PRIVATE allows every one.
    """
    chosen = settings or get_settings().network
    guard = _Guard(_anywhere if chosen.outbound_private else allowed)
    async with httpx.AsyncClient(
        transport=_Transport(guard, ("https", "http") if chosen.outbound_private else ("https",)),
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        timeout=chosen.outbound_timeout_s,
        max_redirects=REDIRECTS,
        trust_env=False,  # a proxy of the environment would resolve names by itself
    ) as client:
        yield Outbound(client, chosen.outbound_timeout_s)


def _anywhere(address: str) -> bool:
    return True


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _Transport(httpx.AsyncHTTPTransport):
    """The usual transport, whose connections are made by `_Guard`."""

    def __init__(self, guard: "_Guard", schemes: tuple[str, ...]) -> None:
        super().__init__(verify=_trust())
        self._schemes = schemes
        self._pool = httpcore.AsyncConnectionPool(ssl_context=_trust(), network_backend=guard)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in self._schemes:
            raise UnsafeAddress(f"{request.url.host} would be called without encryption: use https")
        if request.url.userinfo:
            raise UnsafeAddress(f"the URL of {request.url.host} carries a password")
        return await super().handle_async_request(request)


class _Guard(httpcore.AsyncNetworkBackend):
    """Resolves a name, checks every address, and connects to one of them."""

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"{host} has no address") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(map(self._allowed, addresses)):
            # Not even one of several: who names it chose that.
            raise UnsafeAddress(f"{host} is in a private network, which this platform does not call")
        return addresses
