"""This platform as an OAuth client: what it is called, what it asks for, and where people come back to.

https://atproto.com/specs/oauth#clients
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from atproto_oauth.scopes import ScopePermissions

from backend.adapters.assertion import ClientKey
from backend.domains.federation.lexicons import Kind, collection_of
from backend.errors import Misconfigured, NotFound
from backend.settings import get_settings
from backend.settings.accounts import split_keys

METADATA_PATH = "/oauth/client-metadata.json"
CALLBACK_PATH = "/oauth/callback"
ACTIONS = ("create", "update", "delete")
AUDIO = "audio/*"


@dataclass(frozen=True)
class Client:
    """What servers know us as. On a loopback address the id says everything, since nobody could fetch its metadata."""

    id: str
    redirect_uri: str
    scope: str
    signer: ClientKey | None = None

    @property
    def loopback(self) -> bool:
        """Whether people can sign in on this machine only."""
        return not self.id.endswith(METADATA_PATH)


def collections() -> list[str]:
    """Every collection that this platform writes to, once each."""
    return list(dict.fromkeys(map(collection_of, Kind)))


def this_client() -> Client:
    """The client that HTTP_PUBLIC_URL makes of this platform. Raises Misconfigured when servers would not take it."""
    settings = get_settings()
    public = settings.http.http_public_url
    scope = " ".join(["atproto", *(f"repo:{each}" for each in collections()), f"blob:{AUDIO}"])
    parts = urlsplit(public)
    if _is_loopback(parts.hostname or ""):
        # Servers take loopback addresses back, and no names.
        address = f"127.0.0.1:{parts.port or 80}" if parts.hostname == "localhost" else parts.netloc
        redirect = f"http://{address}{CALLBACK_PATH}"
        return Client(f"http://localhost?{urlencode({'redirect_uri': redirect, 'scope': scope})}", redirect, scope)
    if parts.scheme != "https" or (parts.port is not None and not settings.network.outbound_private):
        raise Misconfigured(
            f"OAuth needs a public https address without a port, and HTTP_PUBLIC_URL is {public}",
            field="HTTP_PUBLIC_URL",
        )
    newest = next(iter(signers().values()), None)
    return Client(f"{public}{METADATA_PATH}", f"{public}{CALLBACK_PATH}", scope, newest)


def signers() -> dict[str, ClientKey]:
    """The keys of OAUTH_KEYS by their ids, newest first. What was issued to one can be refreshed with that one only."""
    configured = get_settings().accounts.oauth_keys
    keys = [ClientKey(secret.encode()) for secret in split_keys(configured)] if configured else []
    return {key.id: key for key in keys}


def metadata() -> dict[str, object]:
    """The document that authorization servers fetch under the client's id. Raises Misconfigured, and NotFound on loopback."""
    client = this_client()
    if client.loopback:
        raise NotFound("on a loopback address the client's id says everything, and there is no document")
    known_by: dict[str, object] = {"token_endpoint_auth_method": "none"}
    if client.signer is not None:
        keys = [key.public for key in signers().values()]
        known_by = {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": keys},
        }
    return {
        "client_id": client.id,
        "client_name": "Backline",
        "client_uri": get_settings().http.http_public_url,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [client.redirect_uri],
        "scope": client.scope,
        "dpop_bound_access_tokens": True,
        **known_by,
    }


def missing_from(granted: str) -> list[str]:
    """What this platform needs and a granted scope does not allow."""
    allowed = ScopePermissions(granted)
    missing = [] if "atproto" in granted.split() else ["atproto"]
    missing += [f"repo:{each}" for each in collections() if not all(allowed.allows_repo(each, do) for do in ACTIONS)]
    return missing if allowed.allows_blob("audio/flac") else [*missing, f"blob:{AUDIO}"]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
