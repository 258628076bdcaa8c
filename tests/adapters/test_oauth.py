"""Authorization servers of strangers: what they must offer, and what of their answers is believed."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from backend.adapters.dpop import new_key
from backend.adapters.oauth import AuthorizationServer, OAuth, server_at, server_of
from backend.adapters.outbound import Outbound, outbound
from backend.adapters.xrpc import TokenRefused
from backend.errors import BadAnswer, RateLimited, Refused, Unavailable, UnsafeAddress
from backend.settings.network import NetworkSettings
from tests.adapters.scripted import Scripted, answer, scripted
from tests.network.server import NetworkServer

TOKENS = {"sub": "did:plc:a", "scope": "atproto", "access_token": "a", "refresh_token": "r", "token_type": "DPoP"}


@pytest.fixture
async def http() -> AsyncIterator[Outbound]:
    async with outbound(NetworkSettings(outbound_private=True, outbound_timeout_s=2.0)) as client:
        yield client


def _metadata(issuer: str, /, **changed: Any) -> dict[str, Any]:
    whole = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["atproto"],
        "authorization_response_iss_parameter_supported": True,
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def _json(found: object) -> bytes:
    return answer(200, json.dumps(found).encode())


async def test_a_real_server_is_found_by_the_account_s_own(http: Outbound, network: NetworkServer) -> None:
    server = await server_of(http, network.pds_url)
    assert server.issuer == network.pds_url
    assert all(str(url).startswith(network.pds_url) for url in vars(server).values())


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({}, None, ""),
        ({"issuer": "https://other.example"}, BadAnswer, "calls itself otherwise"),
        ({"issuer": None}, BadAnswer, "calls itself otherwise"),
        ({"response_types_supported": ["token"]}, Refused, "code"),
        ({"grant_types_supported": ["authorization_code"]}, Refused, "refresh_token"),
        ({"code_challenge_methods_supported": ["plain"]}, Refused, "S256"),
        ({"dpop_signing_alg_values_supported": None}, Refused, "ES256"),
        ({"scopes_supported": "atproto"}, Refused, "atproto"),
        ({"authorization_response_iss_parameter_supported": "yes"}, Refused, "name itself"),
        ({"authorization_endpoint": "javascript:alert(1)"}, BadAnswer, "authorization_endpoint"),
        ({"authorization_endpoint": "https://elsewhere.example/a"}, BadAnswer, "with http"),
        ({"token_endpoint": None}, BadAnswer, "token_endpoint"),
        ({"pushed_authorization_request_endpoint": 7}, BadAnswer, "pushed_authorization_request_endpoint"),
        ({"revocation_endpoint": "ftp://x"}, BadAnswer, "revocation_endpoint"),
    ],
)
async def test_what_a_server_must_offer(
    http: Outbound, changed: dict[str, Any], error: type[Exception] | None, words: str
) -> None:
    said: list[bytes] = []
    async with scripted(lambda path: said[0]) as server:
        said.append(_json(_metadata(server.url, **changed)))
        if error is None:
            assert (await server_at(http, server.url)).token_url == f"{server.url}/token"
        else:
            with pytest.raises(error, match=words):
                await server_at(http, server.url)
    assert server.paths == ["/.well-known/oauth-authorization-server"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(404), Refused),
        (answer(302, Location="http://127.0.0.1:1/"), Unavailable),
        (answer(500), Unavailable),
        (answer(200, b"<html>"), BadAnswer),
        (_json([]), BadAnswer),
        (_json({"authorization_servers": []}), BadAnswer),
        (_json({"authorization_servers": ["https://a.example", "https://b.example"]}), BadAnswer),
        (_json({"authorization_servers": [7]}), BadAnswer),
    ],
)
async def test_an_account_s_server_names_one(http: Outbound, said: bytes, error: type[Exception]) -> None:
    async with scripted(said) as server:
        with pytest.raises(error):
            await server_of(http, server.url)
    assert len(server.requests) == 1


async def test_no_authorization_server_is_called_in_a_private_network() -> None:
    async with outbound(NetworkSettings()) as guarded:
        for issuer in ("https://127.0.0.1", "https://[::1]", "https://10.0.0.1:8443", "http://example.com"):
            with pytest.raises(UnsafeAddress):
                await server_at(guarded, issuer)
            at = AuthorizationServer(issuer, f"{issuer}/a", f"{issuer}/p", f"{issuer}/t", f"{issuer}/r")
            for call in (
                lambda oauth: oauth.push({}),
                lambda oauth: oauth.redeem("c", "v", "u"),
                lambda oauth: oauth.refresh("r"),
                lambda oauth: oauth.revoke("r"),
            ):
                with pytest.raises(UnsafeAddress):
                    await call(OAuth(guarded, at, "client", new_key()))


def _at(server: Scripted, http: Outbound) -> OAuth:
    url = server.url
    return OAuth(http, AuthorizationServer(url, f"{url}/a?x=1", f"{url}/p", f"{url}/t", None), "the client", new_key())


@pytest.mark.parametrize(
    "said",
    [
        *({**TOKENS, name: wrong} for name in TOKENS for wrong in (None, 7, "Bearer") if (name, wrong) in (
            ("sub", None), ("sub", 7), ("scope", None), ("access_token", 7), ("refresh_token", None),
            ("token_type", "Bearer"), ("token_type", None),
        )),
        [],
    ],
)  # fmt: skip
async def test_tokens_are_whole_or_none(http: Outbound, said: object) -> None:
    async with scripted(_json(said)) as server:
        with pytest.raises(BadAnswer):
            await _at(server, http).refresh("r")


@pytest.mark.parametrize(
    ("said", "error", "name"),
    [
        (answer(400, b'{"error": "invalid_grant", "error_description": "used up"}'), Refused, "invalid_grant"),
        (answer(401, b'{"error": "invalid_client"}'), TokenRefused, "invalid_client"),
        (answer(429, Retry_After="7"), RateLimited, None),
        (answer(503), Unavailable, None),
        (answer(302, Location="http://127.0.0.1:1/"), BadAnswer, None),
        (answer(200, b"<html>"), BadAnswer, None),
    ],
)
async def test_each_refusal_has_its_error(
    http: Outbound, said: bytes, error: type[Exception], name: str | None
) -> None:
    calls: list[Callable[[OAuth], Any]] = [
        lambda oauth: oauth.push({}),
        lambda oauth: oauth.redeem("very-secret", "v", "u"),
    ]
    for call in calls:
        async with scripted(said) as server:
            with pytest.raises(error) as refused:
                await call(_at(server, http))
        assert getattr(refused.value, "name", None) == name
        assert "very-secret" not in str(refused.value)


async def test_where_nothing_can_be_revoked_nobody_is_asked(http: Outbound) -> None:
    async with scripted(answer(200)) as server:
        await _at(server, http).revoke("r")
        assert server.requests == []


async def test_the_authorization_url_keeps_what_the_server_put_into_it(http: Outbound) -> None:
    async with scripted(answer(201, b'{"request_uri": "urn:a&b"}')) as server:
        url = await _at(server, http).push({"state": "s"})
    assert url == f"{server.url}/a?x=1&client_id=the+client&request_uri=urn%3Aa%26b"
