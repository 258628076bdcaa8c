"""Calls of the AT Protocol: what each answer of a server means for a run."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import formatdate
from time import time

import pytest

from backend.adapters.outbound import Outbound, outbound
from backend.adapters.xrpc import TokenRefused, Xrpc, retry_after
from backend.errors import BadAnswer, RateLimited, Refused, Unavailable
from backend.settings.network import NetworkSettings
from tests.adapters.scripted import answer, scripted
from tests.network.server import NetworkServer

NSID = "com.example.thing.do"


@pytest.fixture
async def http() -> AsyncIterator[Outbound]:
    async with outbound(NetworkSettings(outbound_private=True, outbound_timeout_s=2.0)) as client:
        yield client


def _error(status: int, name: str, message: str = "because", **headers: str) -> bytes:
    return answer(status, json.dumps({"error": name, "message": message}).encode(), **headers)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (_error(400, "InvalidSwap"), Refused, "400 InvalidSwap: because"),
        (_error(400, "ExpiredToken"), TokenRefused, "ExpiredToken"),
        (_error(401, "AccountDeactivated"), TokenRefused, "AccountDeactivated"),
        (answer(401), TokenRefused, "401"),
        (_error(403, "ScopeMissingError"), Refused, "403"),
        (answer(500, b"<html>"), Unavailable, "answered 500"),
        (answer(502), Unavailable, "502"),
        (answer(429), RateLimited, "429"),
        (answer(302, Location="https://example.com/"), BadAnswer, "elsewhere"),
        (answer(200, b"not json"), BadAnswer, "no JSON"),
        (answer(200, b"[]"), BadAnswer, "no object"),
        (answer(400, b"[1]"), Refused, "answered 400"),
    ],
)
async def test_each_answer_has_its_error(http: Outbound, said: bytes, kind: type[Exception], words: str) -> None:
    async with scripted(said) as server:
        with pytest.raises(kind, match=words) as raised:
            await Xrpc(http, server.url).procedure(NSID, {"a": 1})
    assert type(raised.value) is kind
    assert server.paths == [f"/xrpc/{NSID}"]


async def test_the_servers_word_and_its_wait_are_kept(http: Outbound) -> None:
    async with scripted(_error(400, "InvalidSwap", "x" * 1000)) as server:
        with pytest.raises(Refused) as refused:
            await Xrpc(http, server.url).query(NSID)
    assert refused.value.name == "InvalidSwap"
    assert len(refused.value.detail) < 400
    async with scripted(_error(429, "RateLimitExceeded", Retry_After="7")) as server:
        with pytest.raises(RateLimited) as limited:
            await Xrpc(http, server.url).query(NSID)
    assert limited.value.after == timedelta(seconds=7)


async def test_the_token_goes_into_the_header_and_into_no_error(http: Outbound) -> None:
    async with scripted(_error(401, "InvalidToken")) as server:
        with pytest.raises(TokenRefused) as refused:
            await Xrpc(http, server.url, "very-secret").query(NSID, actor="a b&c")
    assert "authorization: bearer very-secret" in server.requests[0].lower()
    assert server.paths == [f"/xrpc/{NSID}?actor=a+b%26c"]
    assert "very-secret" not in repr(refused.value)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "30"}, 30, 30),
        ({"retry-after": formatdate(time() + 9000, usegmt=True)}, 8000, 9001),
        ({"retry-after": formatdate(time() - 60, usegmt=True)}, 0, 0),
        ({"ratelimit-reset": str(int(time()) + 9000)}, 8000, 9001),
        ({"retry-after": "9" * 40}, 10**8, 10**8),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], least: float, most: float) -> None:
    wait = retry_after(headers)
    assert wait is not None
    assert least <= wait.total_seconds() <= most


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "-5"}, {"ratelimit-reset": "later"}])
def test_no_wait_is_no_wait(headers: dict[str, str]) -> None:
    assert retry_after(headers) is None


async def test_a_real_server(http: Outbound, network: NetworkServer) -> None:
    server = Xrpc(http, network.pds_url)
    said = await server.query("com.atproto.identity.resolveHandle", handle="alice.test")
    assert said == {"did": network.alice.did}
    with pytest.raises(Refused) as refused:
        await server.query(
            "com.atproto.repo.getRecord", repo=network.alice.did, collection="com.example.x", rkey="none"
        )
    assert refused.value.name == "RecordNotFound"
    with pytest.raises(TokenRefused):
        await server.procedure("com.atproto.repo.deleteRecord", {})
