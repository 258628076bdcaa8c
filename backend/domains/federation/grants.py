"""Grants: OAuth tokens are refreshed and revoked at the authorization server that issued them, with their own key."""

from backend.adapters.oauth import ENDED, OAuth, server_at
from backend.adapters.outbound import Outbound
from backend.adapters.xrpc import TokenRefused
from backend.domains.federation.oauth_client import signers
from backend.domains.federation.vault import Grant, Tokens
from backend.errors import BadAnswer, Refused


async def refresh_granted(http: Outbound, did: str, refresh: str, grant: Grant) -> Tokens:
    """New tokens for an account's refresh token. Raises TokenRefused when that is no more, Unavailable, Refused."""
    server = await granting(http, grant)
    try:
        issued = await server.refresh(refresh)
    except Refused as error:
        if error.name == ENDED:
            raise TokenRefused(error.detail, name=error.name) from None
        raise
    if issued.did != did:
        raise BadAnswer(f"{grant.issuer} gave somebody else's tokens for those of {did}")
    return Tokens(issued.access, issued.refresh, grant)


async def revoke_granted(http: Outbound, tokens: Tokens) -> None:
    """End what these tokens belong to. What has ended is no error. Raises Unavailable, Refused."""
    assert tokens.grant is not None
    await (await granting(http, tokens.grant)).revoke(tokens.refresh)


async def granting(http: Outbound, grant: Grant) -> OAuth:
    """The server behind a grant. Raises TokenRefused when the client's key for it is gone, Unavailable, Refused."""
    signer = signers().get(grant.signer) if grant.signer else None
    if grant.signer and signer is None:
        raise TokenRefused("the key that it was issued to is not in OAUTH_KEYS any more")
    return OAuth(http, await server_at(http, grant.issuer), grant.client_id, grant.key, signer)
