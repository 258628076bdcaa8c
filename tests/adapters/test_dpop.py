"""Proofs of possession: what each says, and what a server's nonce does to the next."""

import base64
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from backend.adapters.dpop import NONCES_KEPT, fetch_proven, new_key, nonces
from backend.adapters.outbound import Outbound, outbound
from backend.settings.network import NetworkSettings
from tests.adapters.scripted import Scripted, answer, scripted

WANTS = answer(401, b'{"error": "use_dpop_nonce"}', DPoP_Nonce="fresh")


@pytest.fixture
async def http() -> AsyncIterator[Outbound]:
    async with outbound(NetworkSettings(outbound_private=True, outbound_timeout_s=2.0)) as client:
        yield client


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    nonces.clear()
    yield
    nonces.clear()


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _proofs(server: Scripted) -> list[dict[str, object]]:
    """The claims of each proof that the server got, after its signature was checked with the key that it names."""
    found = []
    for head in server.requests:
        [proof] = re.findall(r"(?im)^dpop: (\S+)", head)
        header, payload, signature = proof.split(".")
        said = json.loads(_bytes(header))
        assert (said["typ"], said["alg"], set(said["jwk"])) == ("dpop+jwt", "ES256", {"kty", "crv", "x", "y"})
        public = EllipticCurvePublicNumbers(_number(said["jwk"]["x"]), _number(said["jwk"]["y"]), SECP256R1())
        raw = _bytes(signature)
        signed = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public.public_key().verify(signed, f"{header}.{payload}".encode(), ECDSA(SHA256()))
        found.append(json.loads(_bytes(payload)))
    return found


async def test_a_proof_names_the_call_and_the_token(http: Outbound) -> None:
    key = new_key()
    async with scripted(answer(200)) as server:
        url = f"{server.url}/xrpc/a.b.c"
        for _ in range(2):
            await fetch_proven(http, "GET", url, key=key, token="tok", params={"q": "1"})
        await fetch_proven(http, "POST", url, key=key)
    first, second, third = _proofs(server)
    assert (first["htm"], first["htu"], third["htm"]) == ("GET", url, "POST")
    assert first["ath"] == base64.urlsafe_b64encode(hashlib.sha256(b"tok").digest()).decode().rstrip("=")
    assert "ath" not in third
    assert abs(int(str(first["iat"])) - time.time()) < 5
    assert len({each["jti"] for each in (first, second, third)}) == 3
    assert "authorization: dpop tok" in server.requests[0].lower()
    assert "authorization" not in server.requests[2].lower()
    assert server.paths[0] == "/xrpc/a.b.c?q=1"


@pytest.mark.parametrize(
    "wants",
    [
        WANTS,
        answer(400, b'{"error": "use_dpop_nonce"}', DPoP_Nonce="fresh"),
        answer(401, b"no JSON", WWW_Authenticate='DPoP error="use_dpop_nonce"', DPoP_Nonce="fresh"),
    ],
)
async def test_who_wants_a_nonce_is_asked_again_with_it_and_from_then_on(http: Outbound, wants: bytes) -> None:
    said = [wants, answer(200, b"{}"), answer(200, b"{}")]
    key = new_key()
    async with scripted(lambda path: said.pop(0)) as server:
        for _ in range(2):
            assert (await fetch_proven(http, "POST", server.url + "/x", key=key, content=b"body")).status == 200
    assert [each.get("nonce") for each in _proofs(server)] == [None, "fresh", "fresh"]


async def test_a_nonce_is_one_servers_and_changes_with_each_answer(http: Outbound) -> None:
    said = [
        answer(200, DPoP_Nonce="one"),
        answer(200, DPoP_Nonce="two"),
        answer(200, DPoP_Nonce="x" * 501),
        answer(200),
    ]
    key = new_key()
    async with scripted(lambda path: said.pop(0)) as server, scripted(answer(200)) as other:
        for _ in range(4):
            await fetch_proven(http, "GET", server.url, key=key)
        await fetch_proven(http, "GET", other.url, key=key)
    assert [each.get("nonce") for each in _proofs(server)] == [None, "one", "two", "two"]
    assert "nonce" not in _proofs(other)[0]


async def test_who_is_never_content_is_asked_twice(http: Outbound) -> None:
    async with scripted(WANTS) as server:
        assert (await fetch_proven(http, "GET", server.url, key=new_key())).status == 401
    assert len(server.requests) == 2


async def test_other_refusals_are_not_asked_again(http: Outbound) -> None:
    for status, body in ((401, b'{"error": "invalid_token"}'), (400, b"[]"), (403, b'{"error": "use_dpop_nonce"}')):
        async with scripted(answer(status, body, DPoP_Nonce="n")) as server:
            assert (await fetch_proven(http, "GET", server.url, key=new_key())).status == status
        assert len(server.requests) == 1


async def test_only_so_many_nonces_are_kept(http: Outbound) -> None:
    nonces.update({f"https://{number}.example": "n" for number in range(NONCES_KEPT)})
    async with scripted(answer(200, DPoP_Nonce="new")) as server:
        await fetch_proven(http, "GET", server.url, key=new_key())
    assert (len(nonces), nonces[server.url], "https://0.example" in nonces) == (NONCES_KEPT, "new", False)
