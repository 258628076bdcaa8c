"""Signed URLs of the local store: a path that opens one private object for a while."""

import hashlib
import hmac
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from backend.errors import InvalidInput, Misconfigured, NotFound
from backend.settings.kept import kept_secret
from backend.storage.keys import Bucket, ObjectKey

ROUTE = "/objects"
SHORTEST_SECRET = 16
_FILE = "storage-url-secret"


class UrlSigner:
    """Makes and checks paths of the form `/objects/private/PATH?expires=UNIX&signature=HEX` (HMAC-SHA256)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def sign(self, key: ObjectKey, expires_in: timedelta) -> str:
        """A path that opens `key` until `expires_in` from now."""
        expires = int(time.time() + expires_in.total_seconds())
        query = urlencode({"expires": expires, "signature": self._signature(key, expires)})
        return f"{public_path(key)}?{query}"

    def verify(self, bucket: str, path: str, expires: str, signature: str) -> ObjectKey:
        """The object that a signed path opens. Raises NotFound when it is forged, altered or too old."""
        closed = NotFound("this link is not valid, or no longer")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 15):
            raise closed
        try:
            key = ObjectKey(Bucket(bucket), path)
        except (InvalidInput, ValueError):
            raise closed from None
        expected = self._signature(key, int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise closed
        if int(expires) < time.time():
            raise closed
        return key

    def _signature(self, key: ObjectKey, expires: int) -> str:
        message = f"GET\n{key.bucket}\n{key.path}\n{expires}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


def public_path(key: ObjectKey) -> str:
    """The path under which our own API serves an object."""
    return f"{ROUTE}/{key.bucket}/{quote(key.path)}"


def url_secret(configured: SecretStr | None, data_dir: Path) -> bytes:
    """The signing key: the one configured, else the one kept in the data directory, made at first use.

    Raises Misconfigured when the configured one is too short to be a secret.
    """
    if configured is None or not configured.get_secret_value():
        return kept_secret(data_dir / _FILE, "STORAGE_URL_SECRET")
    secret = configured.get_secret_value().encode()
    if len(secret) < SHORTEST_SECRET:
        raise Misconfigured(
            f"STORAGE_URL_SECRET must have at least {SHORTEST_SECRET} characters", field="STORAGE_URL_SECRET"
        )
    return secret
