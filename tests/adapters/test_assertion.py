"""A client's own key: the same wherever its secret is known, and what it proves."""

import time

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from backend.adapters.assertion import ClientKey

SECRET = b"s" * 32


def test_a_key_follows_from_its_secret() -> None:
    key = ClientKey(SECRET)
    assert ClientKey(SECRET).public == key.public
    # Sign-ins depend on it for years, so it must never change by itself.
    assert key.id == "XcltODC4tWu3aMXKkhEznM8vfUeWARr0hlgMjXlq6ss"
    assert ClientKey(b"t" * 32).id != key.id
    assert (key.public["kid"], key.public["alg"], "d" in key.public) == (key.id, "ES256", False)


def test_a_proof_is_for_one_server_once() -> None:
    key = ClientKey(SECRET)
    forms = [key.proof("https://client.example/id", "https://issuer.example") for _ in range(2)]
    assert forms[0]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    read = [jwt.decode(form["client_assertion"], ECKey.import_key(key.public)) for form in forms]
    assert (read[0].header["alg"], read[0].header["kid"]) == ("ES256", key.id)
    claims = read[0].claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        "https://client.example/id", "https://client.example/id", "https://issuer.example",
    )  # fmt: skip
    assert (claims["exp"] - claims["iat"], abs(claims["iat"] - time.time()) < 5) == (60, True)
    assert claims["jti"] != read[1].claims["jti"]
    with pytest.raises(BadSignatureError):
        jwt.decode(forms[0]["client_assertion"], ECKey.import_key(ClientKey(b"t" * 32).public))
