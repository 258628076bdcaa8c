"""The vault: credentials as text that only this platform can read, also while its keys are changed."""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.errors import Misconfigured
from backend.settings import get_settings
from backend.settings.accounts import split_keys
from backend.settings.kept import kept_secret

PURPOSE = b"backline credentials"
_FILE = "account-key"


@dataclass(frozen=True)
class Grant:
    """What OAuth tokens hang on: who issued them to which client, and the DPoP key (PEM) that proves each use.

    `signer` is the id of the client's own key, where it has one.
    """

    issuer: str
    client_id: str
    key: str = field(repr=False)
    signer: str | None = None


@dataclass(frozen=True)
class Tokens:
    """What an account's server gave, for an app password or, with a grant, by OAuth. Never printed."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    grant: Grant | None = None


def seal(did: str, tokens: Tokens) -> str:
    """Encrypt an account's tokens with the newest key."""
    return lock(did, asdict(tokens))


def unseal(did: str, sealed: str) -> Tokens:
    """An account's tokens. Raises what `unlock` does."""
    found = unlock(did, sealed)
    grant = found.get("grant")
    return Tokens(found["access"], found["refresh"], Grant(**grant) if grant else None)


def lock(did: str, secrets: dict[str, Any]) -> str:
    """Encrypt anything of an account's, as JSON, with the newest key."""
    return _fernet().encrypt(json.dumps({**secrets, "did": did}).encode()).decode()


def unlock(did: str, sealed: str) -> dict[str, Any]:
    """What was locked. Raises Misconfigured when no key opens it, or when it is another account's."""
    try:
        plain: dict[str, Any] = json.loads(_fernet().decrypt(sealed.encode()))
    except InvalidToken:
        raise Misconfigured(
            f"the credentials of {did} cannot be read: put the key they were sealed with into ACCOUNT_KEYS",
            field="ACCOUNT_KEYS",
        ) from None
    if plain["did"] != did:
        raise Misconfigured(f"the credentials stored for {did} are those of {plain['did']}", field="ACCOUNT_KEYS")
    return plain


def reseal(sealed: str) -> str:
    """The same credentials, sealed with the newest key. Raises Misconfigured when no key opens them."""
    try:
        return _fernet().rotate(sealed.encode()).decode()
    except InvalidToken:
        raise Misconfigured("credentials are sealed with a key that ACCOUNT_KEYS does not have") from None


def pseudonym(text: str) -> str:
    """The same name for the same text, from which nobody learns the text: 64 hex digits. Another key, another name."""
    return hmac.new(_keys()[0], f"pseudonym {text}".encode(), hashlib.sha256).hexdigest()


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in _keys()])


def _keys() -> list[bytes]:
    settings = get_settings()
    configured = settings.accounts.account_keys
    if configured is None:
        return [kept_secret(settings.database.data_dir / _FILE, "ACCOUNT_KEYS")]
    return [key.encode() for key in split_keys(configured)]


def _derived(secret: bytes) -> bytes:
    # Any long secret will do; Fernet wants 32 bytes in base64.
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(secret))
