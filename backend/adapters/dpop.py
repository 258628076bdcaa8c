"""DPoP (RFC 9449): calls with a token that is worth nothing without its key, which signs a proof for each call."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from atproto_oauth.dpop import DPoPManager
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from backend.adapters.outbound import Answer, Content, Outbound

NONCES_KEPT = 1000
NONCE_LIMIT = 500
WANTS_NONCE = "use_dpop_nonce"

# The nonce that each server wants at the moment, by its origin. It is no secret, and the same for all accounts.
nonces: dict[str, str] = {}


def new_key() -> str:
    """A new key (P-256), as PEM. Secret."""
    made = DPoPManager.generate_keypair()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def fetch_proven(
    http: Outbound,
    method: str,
    url: str,
    *,
    key: str,
    token: str | None = None,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    content: Content | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Like `Outbound.fetch`, with a proof by `key` (PEM), and for `token` where one is sent. Raises the same.

    A server that wants another nonce is asked once more, with that one.
    """
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"DPoP {token}"
    private = _loaded(key)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    for last in (False, True):
        sent["DPoP"] = DPoPManager.create_proof(method, url, private, nonces.get(origin), token)
        answer = await http.fetch(method, url, params=params, headers=sent, content=content, timeout_s=timeout_s)
        _note_nonce(origin, answer)
        if last or not _wants_nonce(answer):
            break
    return answer


def _loaded(key: str) -> EllipticCurvePrivateKey:
    found = load_pem_private_key(key.encode(), None)
    assert isinstance(found, EllipticCurvePrivateKey)
    return found


def _note_nonce(origin: str, answer: Answer) -> None:
    nonce = answer.headers.get("dpop-nonce")
    if nonce and len(nonce) <= NONCE_LIMIT:
        nonces.pop(origin, None)
        nonces[origin] = nonce
        if len(nonces) > NONCES_KEPT:
            del nonces[next(iter(nonces))]


def _wants_nonce(answer: Answer) -> bool:
    if answer.status not in (400, 401):
        return False
    if WANTS_NONCE in answer.headers.get("www-authenticate", ""):
        return True
    try:
        found = json.loads(answer.body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("error") == WANTS_NONCE
