"""This platform as an OAuth client: what it is called, what it asks for, and where people come back to.

https://atproto.com/specs/oauth#clients
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from atproto_oauth.scopes import ScopePermissions

from backend.domains.federation.lexicons import Kind, collection_of
from backend.errors import Misconfigured, NotFound
from backend.settings import get_settings

METADATA_PATH = "/oauth/client-metadata.json"
CALLBACK_PATH = "/oauth/callback"
ACTIONS = ("create", "update", "delete")
AUDIO = "audio/*"


@dataclass(frozen=True)
class Client:
    """A public client. On a loopback address its id says everything, since no server could fetch its metadata."""

    id: str
    redirect_uri: str
    scope: str


def collections() -> list[str]:
    """Every collection that this platform writes to, once each."""
    return list(dict.fromkeys(map(collection_of, Kind)))


def this_client() -> Client:
    """The client that HTTP_PUBLIC_URL makes of this platform. Raises Misconfigured when servers would not take it."""
    public = get_settings().http.http_public_url
    scope = " ".join(["atproto", *(f"repo:{each}" for each in collections()), f"blob:{AUDIO}"])
    parts = urlsplit(public)
    if _is_loopback(parts.hostname or ""):
        # Servers take loopback addresses back, and no names.
        address = f"127.0.0.1:{parts.port or 80}" if parts.hostname == "localhost" else parts.netloc
        redirect = f"http://{address}{CALLBACK_PATH}"
        return Client(f"http://localhost?{urlencode({'redirect_uri': redirect, 'scope': scope})}", redirect, scope)
    if parts.scheme != "https" or parts.port is not None:
        raise Misconfigured(
            f"OAuth needs a public https address without a port, and HTTP_PUBLIC_URL is {public}",
            field="HTTP_PUBLIC_URL",
        )
    return Client(f"{public}{METADATA_PATH}", f"{public}{CALLBACK_PATH}", scope)


def metadata() -> dict[str, object]:
    """The document that authorization servers fetch under the client's id. Raises Misconfigured, and NotFound on loopback."""
    client = this_client()
    if not client.id.endswith(METADATA_PATH):
        raise NotFound("on a loopback address the client's id says everything, and there is no document")
    return {
        "client_id": client.id,
        "client_name": "Backline",
        "client_uri": get_settings().http.http_public_url,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [client.redirect_uri],
        "scope": client.scope,
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": True,
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
