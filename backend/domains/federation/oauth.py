"""Sign in with OAuth: a request that its owner decides on at their own server, and what comes back of it."""

import hashlib
import secrets
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from atproto_oauth.pkce import PKCEManager
from sqlalchemy import delete

from backend.adapters.dpop import new_key
from backend.adapters.identity import UNKNOWN_HANDLE, Identities, Identity
from backend.adapters.oauth import Issued, OAuth, server_of
from backend.adapters.outbound import Outbound, outbound
from backend.db.base import now
from backend.db.models.federation import OAuthRequest
from backend.db.session import unit_of_work
from backend.domains.federation.accounts import SignedIn, admit
from backend.domains.federation.attempts import note_attempt
from backend.domains.federation.grants import granting
from backend.domains.federation.oauth_client import missing_from, this_client
from backend.domains.federation.revocation import revoke_unused
from backend.domains.federation.vault import Grant, Tokens, lock, unlock
from backend.errors import BacklineError, Forbidden, InvalidInput, SignInRequired
from backend.settings import get_settings

LIFETIME = timedelta(minutes=10)
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Begun:
    """Where the owner decides, and what their browser keeps meanwhile, so that nobody else can end the sign-in."""

    url: str
    browser: str = field(repr=False)


@dataclass(frozen=True)
class Arrived:
    """What a browser brings back from the authorization server."""

    state: str = field(repr=False)
    browser: str = field(repr=False)
    issuer: str | None
    code: str | None = field(repr=False)
    error: str | None = None


@dataclass(frozen=True)
class Finished:
    """Somebody who has just signed in, and the page of ours that they began on."""

    signed_in: SignedIn
    return_to: str


async def begin(identifier: str, address: str, return_to: str = "/") -> Begun:
    """Ask the authorization server of a handle or a DID for a sign-in. `address` is where the request came from.

    Raises RateLimited, InvalidInput, NotFound, Refused when the server has no OAuth, Misconfigured, Unavailable.
    """
    await note_attempt(identifier, address)
    client, key = this_client(), new_key()
    verifier, challenge = PKCEManager.generate_pair()
    state, browser = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    async with outbound() as http:
        identity = await Identities(http, get_settings().network).find(identifier)
        server = await server_of(http, identity.pds_url)
        url = await OAuth(http, server, client.id, key, client.signer).push({
            "response_type": "code",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": state,
            "redirect_uri": client.redirect_uri,
            "scope": client.scope,
            "login_hint": identity.did if identity.handle == UNKNOWN_HANDLE else identity.handle,
        })  # fmt: skip
    grant = Grant(server.issuer, client.id, key, client.signer.id if client.signer else None)
    kept = {"verifier": verifier, "redirect_uri": client.redirect_uri, "grant": asdict(grant)}
    row = OAuthRequest(
        state_hash=_hash(state),
        browser_hash=_hash(browser),
        did=identity.did,
        issuer=server.issuer,
        secrets=lock(identity.did, kept),
        return_to=return_to,
        expires_at=now() + LIFETIME,
    )
    async with unit_of_work() as unit:
        unit.session.add(row)
    return Begun(url, browser)


async def finish(arrived: Arrived) -> Finished:
    """Sign in what came back, once. Runs that waited for the account go on.

    Raises SignInRequired when this was not begun here, or is over; Forbidden when its owner or the server refused, or
    when the answer is somebody else's; Refused when the server does not take the code; Unavailable.
    """
    row = await _take(arrived)
    if arrived.issuer != row.issuer:
        raise Forbidden("the answer does not come from the server that was asked: sign in again")
    if arrived.error is not None:
        raise Forbidden(f"the account's server did not allow the sign-in: {arrived.error[:100]}")
    if not arrived.code:
        raise InvalidInput("the answer carries neither a code nor an error", field="code")
    kept = unlock(row.did, row.secrets)
    grant = Grant(**kept["grant"])
    async with outbound() as http:
        server = await granting(http, grant)
        issued = await server.redeem(arrived.code, kept["verifier"], kept["redirect_uri"])
        try:
            identity = await _proven(http, row, issued)
        except BacklineError:
            await revoke_unused(row.did, grant, issued)
            raise
    return Finished(await admit(identity, Tokens(issued.access, issued.refresh, grant)), row.return_to)


async def _take(arrived: Arrived) -> OAuthRequest:
    """The request that this answers. From now on nothing answers it any more."""
    async with unit_of_work() as unit:
        row = await unit.session.get(OAuthRequest, _hash(arrived.state), with_for_update=True)
        if row is not None:
            await unit.connection.execute(delete(OAuthRequest).where(OAuthRequest.state_hash == row.state_hash))
    if row is None or row.expires_at <= now():
        raise SignInRequired("this sign-in is over, or was never begun: sign in again")
    if not secrets.compare_digest(row.browser_hash, _hash(arrived.browser)):
        raise SignInRequired("this sign-in was begun in another browser, or under another address: sign in again here")
    return row


async def _proven(http: Outbound, row: OAuthRequest, issued: Issued) -> Identity:
    """Who signed in. The tokens must be those of the account that was asked for, from the server that it trusts now."""
    if issued.did != row.did:
        raise Forbidden("another account signed in than was asked for: sign in again with that one's handle")
    if missing := missing_from(issued.scope):
        raise Forbidden(f"the sign-in does not allow what is needed here: {' '.join(missing)}")
    identity = await Identities(http, get_settings().network).find(row.did)
    if (await server_of(http, identity.pds_url)).issuer != row.issuer:
        raise Forbidden(f"{row.issuer} does not speak for {row.did} any more: sign in again")
    return identity


def _hash(text: str) -> str:
    # These are random and long, so nothing slower is needed to hide them.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
