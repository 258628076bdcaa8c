"""OAuth at an account's authorization server: discovery, pushed requests, tokens and their end.

https://atproto.com/specs/oauth. Every call goes through `Outbound`: whoever signs in chooses the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from backend.adapters.assertion import ClientKey
from backend.adapters.dpop import fetch_proven
from backend.adapters.outbound import Outbound
from backend.adapters.xrpc import error_of, retry_after
from backend.errors import BadAnswer, Refused, Unavailable

RESOURCE = "/.well-known/oauth-protected-resource"
METADATA = "/.well-known/oauth-authorization-server"
ENDED = "invalid_grant"  # the server's word for a code or a refresh token that it does not take any more


@dataclass(frozen=True)
class AuthorizationServer:
    """Where an authorization server is asked for what. `revoke_url` is None where nothing can be revoked."""

    issuer: str
    authorize_url: str
    par_url: str
    token_url: str
    revoke_url: str | None


@dataclass(frozen=True)
class Issued:
    """What a server gave: tokens, for whom, and for what."""

    did: str
    scope: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


async def server_of(http: Outbound, pds_url: str) -> AuthorizationServer:
    """The authorization server that a personal data server trusts. Raises Unavailable, Refused when it has none."""
    found = await _document(http, f"{pds_url}{RESOURCE}")
    servers = found.get("authorization_servers")
    if not isinstance(servers, list) or len(servers) != 1 or not isinstance(servers[0], str):
        raise BadAnswer(f"{pds_url} does not name one authorization server")
    return await server_at(http, servers[0])


async def server_at(http: Outbound, issuer: str) -> AuthorizationServer:
    """An authorization server by its issuer. Raises Unavailable, and Refused when it cannot do what we need."""
    found = await _document(http, f"{issuer}{METADATA}")
    if found.get("issuer") != issuer:
        raise BadAnswer(f"{issuer} calls itself otherwise")
    for name, needed in (
        ("response_types_supported", "code"),
        ("grant_types_supported", "refresh_token"),
        ("code_challenge_methods_supported", "S256"),
        ("dpop_signing_alg_values_supported", "ES256"),
        ("scopes_supported", "atproto"),
    ):
        offered = found.get(name)
        if not isinstance(offered, list) or needed not in offered:
            raise Refused(f"{issuer} does not offer {needed} ({name})")
    if found.get("authorization_response_iss_parameter_supported") is not True:
        raise Refused(f"{issuer} does not name itself in its answers, which is needed to tell servers apart")
    return AuthorizationServer(
        issuer=issuer,
        authorize_url=_endpoint(found, "authorization_endpoint"),
        par_url=_endpoint(found, "pushed_authorization_request_endpoint"),
        token_url=_endpoint(found, "token_endpoint"),
        revoke_url=_endpoint(found, "revocation_endpoint") if found.get("revocation_endpoint") else None,
    )


async def _document(http: Outbound, url: str) -> dict[str, Any]:
    # Redirects are not followed: who answers must be who was asked.
    answer = await http.fetch("GET", url, headers={"Accept": "application/json"})
    if answer.status == 404:
        raise Refused(f"{url} is not there: this server has no sign-in with OAuth. Sign in with an app password")
    if answer.status != 200:
        raise Unavailable(f"{url} answered {answer.status}", after=retry_after(answer.headers))
    found = answer.json()
    if not isinstance(found, dict):
        raise BadAnswer(f"{url} is no object")
    return found


def _endpoint(metadata: Mapping[str, Any], name: str) -> str:
    url, scheme = metadata.get(name), str(metadata["issuer"]).partition("://")[0]
    # A browser is sent to one of these: not to a script, and not without encryption.
    if not isinstance(url, str) or not url.startswith(f"{scheme}://"):
        raise BadAnswer(f"{metadata['issuer']} names no {name} with {scheme}")
    return url


class OAuth:
    """One authorization server, asked by one client with one DPoP key (PEM). With a `signer` the client proves itself."""

    def __init__(
        self, http: Outbound, server: AuthorizationServer, client_id: str, key: str, signer: ClientKey | None = None
    ) -> None:
        self.server = server
        self._http = http
        self._client_id = client_id
        self._key = key
        self._signer = signer

    async def push(self, request: Mapping[str, str]) -> str:
        """Hand in a request for authorization. Returns the URL where its owner decides on it."""
        said = await self._post(self.server.par_url, request)
        uri = said.get("request_uri")
        if not isinstance(uri, str):
            raise BadAnswer(f"{self.server.issuer} took a request and did not say what it is called")
        joined = "&" if "?" in self.server.authorize_url else "?"
        query = urlencode({"client_id": self._client_id, "request_uri": uri})
        return f"{self.server.authorize_url}{joined}{query}"

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Issued:
        """Tokens for a code. Raises Refused when the server does not take it."""
        return await self._token("authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri)

    async def refresh(self, token: str) -> Issued:
        """New tokens for a refresh token, which is used up. Raises Refused with the name ENDED when it is no more."""
        return await self._token("refresh_token", refresh_token=token)

    async def revoke(self, token: str) -> None:
        """End what a token belongs to. One that has ended is no error."""
        if self.server.revoke_url is not None:
            await self._post(self.server.revoke_url, {"token": token})

    async def _token(self, grant_type: str, **form: str) -> Issued:
        said = await self._post(self.server.token_url, {"grant_type": grant_type, **form})
        did, scope, access, refresh = (said.get(name) for name in ("sub", "scope", "access_token", "refresh_token"))
        if not (
            isinstance(did, str) and isinstance(scope, str) and isinstance(access, str) and isinstance(refresh, str)
        ):
            raise BadAnswer(f"{self.server.issuer} gave tokens that are not whole")
        if str(said.get("token_type")).lower() != "dpop":
            raise BadAnswer(f"{self.server.issuer} gave tokens that are bound to no key")
        return Issued(did, scope, access, refresh)

    async def _post(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        proof = self._signer.proof(self._client_id, self.server.issuer) if self._signer else {}
        content = urlencode({**form, "client_id": self._client_id, **proof}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = await fetch_proven(self._http, "POST", url, key=self._key, headers=headers, content=content)
        if answer.status not in (200, 201):
            raise error_of(self.server.issuer, answer)
        found = answer.json() if answer.body else {}
        if not isinstance(found, dict):
            raise BadAnswer(f"{self.server.issuer} answered with something that is no object")
        return found
