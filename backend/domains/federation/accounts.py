"""Accounts: who signs in, by app password here or by OAuth, and out again. What came back is kept encrypted."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from backend.adapters.identity import Identities, Identity
from backend.adapters.outbound import outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.db.models.federation import Account, AccountState
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.attempts import note_attempt
from backend.domains.federation.revocation import revoke_later
from backend.domains.federation.sign_ins import close_sign_in, find_sign_in, holds_sign_ins, open_sign_in
from backend.domains.federation.sync import schedule_atproto_sync
from backend.domains.federation.tokens import subject_of
from backend.domains.federation.vault import Tokens, seal
from backend.errors import BadAnswer, Forbidden, NotFound, SignInRequired
from backend.runtime.runs import release_parked
from backend.settings import get_settings

FULL_ACCESS = "com.atproto.access"


@dataclass(frozen=True)
class AccountView:
    """An account as its owner sees it. `reason` says why work in its name waits, when it does."""

    did: str
    handle: str
    pds_url: str
    state: str
    reason: str | None


@dataclass(frozen=True)
class SignedIn:
    """Somebody who has just signed in. The token is shown this once."""

    account: AccountView
    token: str = field(repr=False)


async def sign_in(identifier: str, app_password: str, address: str) -> SignedIn:
    """Sign in with a handle or a DID and an app password. Runs that waited for it go on.

    `address` is where the request came from. Raises RateLimited, InvalidInput, NotFound, SignInRequired when the password
    is wrong, Forbidden when the server keeps the account out, Unavailable.
    """
    await note_attempt(identifier, address)
    async with outbound() as http:
        identity = await Identities(http, get_settings().network).find(identifier)
        tokens = await _open_session(Xrpc(http, identity.pds_url), identity, app_password)
        if _scope(tokens.access) == FULL_ACCESS:
            await Xrpc(http, identity.pds_url, tokens.refresh).procedure("com.atproto.server.deleteSession")
            raise Forbidden("that is the account's own password: make an app password and sign in with it")
    return await admit(identity, tokens)


async def admit(identity: Identity, tokens: Tokens) -> SignedIn:
    """Sign an account in with tokens that its server gave. What it held before is revoked, and what waited goes on.

    Its records follow, as `sync_atproto` says.
    """
    async with unit_of_work() as unit:
        account = await _locked(unit, identity)
        await revoke_later(unit, account)
        account.handle, account.pds_url = identity.handle, identity.pds_url
        account.state, account.reason = AccountState.ACTIVE, None
        account.credentials = seal(identity.did, tokens)
        account.generation += 1
        account.refreshing = account.refreshing_until = None
        token = await open_sign_in(identity.did)
        await release_parked(subject_of(identity.did))
        await schedule_atproto_sync(identity.did)
    return SignedIn(_view(account), token)


async def _locked(unit: Unit, identity: Identity) -> Account:
    """The account's row, made where there is none. Two sign-ins in the same moment follow each other."""
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    new = make(Account).values(did=identity.did, handle=identity.handle, pds_url=identity.pds_url)
    await unit.connection.execute(new.on_conflict_do_nothing())
    return await unit.session.get_one(Account, identity.did, with_for_update=True)


async def _open_session(server: Xrpc, identity: Identity, app_password: str) -> Tokens:
    body = {"identifier": identity.did, "password": app_password}
    try:
        made = await server.procedure("com.atproto.server.createSession", body)
    except TokenRefused as error:
        if error.name == "AuthFactorTokenRequired":
            raise SignInRequired("the account asks for a code by mail: sign in with an app password") from None
        if error.name in ("AccountTakedown", "AccountSuspended"):
            raise Forbidden(f"the account's server keeps it out: {error.name}") from None
        raise SignInRequired("the handle or the app password is wrong") from None
    access, refresh = made.get("accessJwt"), made.get("refreshJwt")
    if made.get("did") != identity.did or not isinstance(access, str) or not isinstance(refresh, str):
        raise BadAnswer(f"{server.service} opened no session of {identity.did}")
    return Tokens(access, refresh)


def _scope(token: str) -> str | None:
    """What a PDS wrote into its token. Other servers may write nothing that we can read."""
    try:
        payload = token.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    return claims.get("scope") if isinstance(claims, dict) else None


async def sign_out(token: str) -> None:
    """End a sign-in. With an account's last one, its credentials are revoked, and what is still to do waits."""
    found = await find_sign_in(token)
    async with unit_of_work() as unit:
        await close_sign_in(token)
        if found is None or await holds_sign_ins(found.did):
            return
        account = await unit.session.get(Account, found.did, with_for_update=True)
        if account is None:
            return
        await revoke_later(unit, account)
        account.state, account.reason = AccountState.SIGNED_OUT, "signed out"
        account.credentials = account.refreshing = account.refreshing_until = None
        account.generation += 1


async def get_account(did: str) -> AccountView:
    """An account that signed in before. Raises NotFound."""
    async with database().reading() as session:
        account = await session.get(Account, did)
    if account is None:
        raise NotFound(f"{did} has never signed in here", field="did")
    return _view(account)


def _view(account: Account) -> AccountView:
    return AccountView(account.did, account.handle, account.pds_url, account.state, account.reason)
