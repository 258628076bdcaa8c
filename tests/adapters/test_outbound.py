"""The client for strangers' servers: whom it does not call, and what it does not read."""

import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from backend.adapters import outbound as module
from backend.adapters.outbound import Outbound, outbound
from backend.errors import BadAnswer, InvalidInput, Unavailable, UnsafeAddress
from backend.settings.network import NetworkSettings
from tests.adapters.scripted import answer, scripted
from tests.servers import free_port

PRIVATE = NetworkSettings(outbound_private=True, outbound_timeout_s=2.0)
PUBLIC = NetworkSettings(outbound_timeout_s=2.0)


@pytest.fixture
async def http() -> AsyncIterator[Outbound]:
    async with outbound(PRIVATE) as client:
        yield client


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """What a server presents as 127.0.0.1, by an authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    module._trust.cache_clear()
    yield context
    module._trust.cache_clear()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "169.254.169.254", "10.0.0.7"],
)
async def test_a_private_network_is_not_called(host: str) -> None:
    async with scripted(answer(200)) as server, outbound(PUBLIC) as http:
        with pytest.raises(UnsafeAddress, match="private network"):
            await http.fetch("GET", f"https://{host}:{server.port}/")
        assert server.requests == []


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://example.com/", "https://me:secret@example.com/"])
async def test_only_https_without_a_password_is_called(url: str) -> None:
    async with outbound(PUBLIC) as http:
        with pytest.raises((UnsafeAddress, BadAnswer)) as refused:
            await http.fetch("GET", url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "nonsense", "https://", "https://exa mple.com:x/", "https://[::1/"])
async def test_what_is_no_url_is_refused(url: str) -> None:
    async with outbound(PUBLIC) as http:
        with pytest.raises(InvalidInput) as refused:
            await http.fetch("GET", url)
    assert refused.value.field == "url"


async def test_a_name_is_resolved_once_and_every_address_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what the name says a second time is never asked."""
    asked: list[str] = []

    def names(host: str | bytes, port: int, *rest: Any, **more: Any) -> list[Any]:
        asked.append(str(host))
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        both = ["93.184.216.34", "127.0.0.1"] if host == "mixed.example" else [address]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in both]

    monkeypatch.setattr(socket, "getaddrinfo", names)
    # As if 192.0.2.1, which leads nowhere, were public.
    async with (
        scripted(answer(200)) as server,
        outbound(NetworkSettings(outbound_timeout_s=0.5), lambda address: address != "127.0.0.1") as http,
    ):
        with pytest.raises(Unavailable):
            await http.fetch("GET", f"https://rebinding.example:{server.port}/")
        assert asked == ["rebinding.example"]
        with pytest.raises(UnsafeAddress):
            await http.fetch("GET", f"https://mixed.example:{server.port}/")
        assert server.requests == []


async def test_a_redirect_is_a_call_like_any_other(http: Outbound) -> None:
    def script(path: str) -> bytes:
        return answer(302, Location="ftp://127.0.0.1/x") if path == "/away" else answer(302, Location="/round")

    async with scripted(script) as server:
        for path, wrong in (("/away", (UnsafeAddress, BadAnswer)), ("/round", BadAnswer)):
            with pytest.raises(wrong):
                await http.fetch("GET", f"{server.url}{path}", follow=True)
        assert (await http.fetch("GET", f"{server.url}/away")).status == 302
        assert server.paths == ["/away", *["/round"] * 4, "/away"]


async def test_a_redirect_into_a_private_network_is_not_followed(served: ssl.SSLContext) -> None:
    """As if 127.0.0.1 were public, and what it redirects to were not."""
    elsewhere = answer(302, Location="https://10.0.0.1/secrets")
    async with scripted(elsewhere, served) as server, outbound(PUBLIC, lambda address: address == "127.0.0.1") as http:
        with pytest.raises(UnsafeAddress, match=r"10\.0\.0\.1"):
            await http.fetch("GET", f"https://127.0.0.1:{server.port}", follow=True)
        assert len(server.requests) == 1


async def test_an_answer_has_a_largest_size(http: Outbound) -> None:
    async with scripted(answer(200, b"x" * 2000)) as server:
        assert len((await http.fetch("GET", server.url, limit=2000)).body) == 2000
        with pytest.raises(BadAnswer, match="larger than 1,999 bytes"):
            await http.fetch("GET", server.url, limit=1999)


async def test_a_compressed_answer_is_not_unpacked(http: Outbound) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    async with scripted(answer(200, bomb, Content_Encoding="gzip")) as server:
        with pytest.raises(BadAnswer, match="compressed"):
            await http.fetch("GET", server.url)
        assert "accept-encoding: identity" in server.requests[0].lower()


async def test_silence_ends(http: Outbound) -> None:
    async with (
        scripted(lambda path: None) as server,
        outbound(NetworkSettings(outbound_private=True, outbound_timeout_s=0.2)) as quick,
    ):
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await quick.fetch("GET", server.url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await http.fetch("GET", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(Unavailable, match="no address"):
        await http.fetch("GET", "http://nowhere.invalid/")


@pytest.mark.parametrize("said", [b"hello", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b""])
async def test_what_is_no_http_is_no_answer(http: Outbound, said: bytes) -> None:
    async with scripted(said) as server:
        with pytest.raises(BadAnswer):
            await http.fetch("GET", server.url)


async def test_the_certificate_must_be_the_names(served: ssl.SSLContext) -> None:
    """The connection goes to an address, the certificate is checked against the name."""
    async with scripted(answer(200, b"{}"), served) as server, outbound(PRIVATE) as http:
        assert (await http.fetch("GET", f"https://127.0.0.1:{server.port}/")).json() == {}
        with pytest.raises(Unavailable, match="certificate"):
            await http.fetch("GET", f"https://localhost:{server.port}/")


async def test_no_proxy_of_the_environment_is_used(http: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with scripted(answer(204)) as server, outbound(PRIVATE) as client:
        assert (await client.fetch("GET", server.url)).status == 204
