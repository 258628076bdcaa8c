"""Client assertions (RFC 7523): a client proves to an authorization server who it is, with a key of its own."""

import secrets
import time

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import ECKey

PURPOSE = b"backline oauth client"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
LIFETIME_S = 60
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientKey:
    """A key (P-256) that follows from a secret: the same for every machine that knows it. Never printed."""

    def __init__(self, secret: bytes) -> None:
        # 16 bytes more than the order has, so that no number is likelier than another.
        number = int.from_bytes(HKDF(SHA256(), 48, salt=None, info=PURPOSE).derive(secret)) % (ORDER - 1) + 1
        self._key = ECKey.import_key(derive_private_key(number, SECP256R1()))
        self.id: str = self._key.thumbprint()

    @property
    def public(self) -> dict[str, object]:
        """The public half, as a JWK."""
        return {**self._key.as_dict(private=False), "kid": self.id, "use": "sig", "alg": "ES256"}

    def proof(self, client_id: str, issuer: str) -> dict[str, str]:
        """The form fields that prove to this issuer, once and for a minute, that the client sends the form."""
        moment = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": moment,
            "exp": moment + LIFETIME_S,
        }
        signed = jwt.encode({"alg": "ES256", "kid": self.id}, claims, self._key)
        return {"client_assertion_type": TYPE, "client_assertion": signed}
