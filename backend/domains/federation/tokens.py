"""Tokens that work: an account's credentials as they are now, fetched anew by one of all who need it.

Whoever finds them refused takes a lease in the account's row, asks the server, and writes what came back. Everybody else,
in this process or another, waits for that. Nobody holds the database while a server is asked.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, update

from backend.adapters.outbound import Outbound, outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Account, AccountState
from backend.db.session import database, unit_of_work
from backend.domains.federation.grants import refresh_granted
from backend.domains.federation.vault import Tokens, seal, unseal
from backend.errors import AuthExpired, BadAnswer, Unavailable

LEASE_S = 45.0
FETCH_S = 40.0  # less, so that no two ever send the same refresh token
LOOK_EVERY_S = 0.1


_fetching: set[asyncio.Task["Credentials"]] = set()


@dataclass(frozen=True)
class Credentials:
    """What an account is called with. `generation` tells one set of tokens from the next."""

    did: str
    pds_url: str
    generation: int
    tokens: Tokens = field(repr=False)


def subject_of(did: str) -> str:
    """What runs are parked on until the account signs in again."""
    return f"account:{did}"


async def credentials_of(did: str) -> Credentials:
    """An account's credentials. Raises AuthExpired, which parks a run, when it has none."""
    return _usable(did, await _account(did))


async def refreshed(refused: Credentials) -> Credentials:
    """Credentials newer than those that were refused. Raises AuthExpired when the account must sign in, Unavailable."""
    mine, deadline = new_id(), time.monotonic() + LEASE_S
    while time.monotonic() < deadline:
        current = _usable(refused.did, await _account(refused.did))
        if current.generation != refused.generation:
            return current
        if await _take_lease(refused, mine):
            # In a task of its own: a refresh token is used up when it is sent, so who asked may be cancelled, and what
            # comes back is kept all the same.
            fetching = asyncio.create_task(_fetch(refused, mine))
            _fetching.add(fetching)
            fetching.add_done_callback(_fetching.discard)
            return await asyncio.shield(fetching)
        await asyncio.sleep(LOOK_EVERY_S)
    raise Unavailable(f"somebody else has been fetching new credentials of {refused.did} for {LEASE_S:g} s")


async def give_up(refused: Credentials, reason: str, *, taken: bool = False) -> AuthExpired:
    """These are not enough any more. Returns the error that parks a run until the next sign-in.

    `taken`: the account's server still takes them, so the next sign-in, or the sign-out, has them to revoke.
    """
    values: dict[str, Any] = {"state": AccountState.EXPIRED, "reason": reason[:500]}
    if not taken:
        values["credentials"] = None
    statement = (
        update(Account)
        .where(Account.did == refused.did, Account.generation == refused.generation)
        .values(generation=Account.generation + 1, refreshing=None, refreshing_until=None, **values)
    )
    async with unit_of_work() as unit:
        await unit.connection.execute(statement)
    return AuthExpired(f"{refused.did} must sign in again: {reason}", subject=subject_of(refused.did))


async def _fetch(refused: Credentials, mine: str) -> Credentials:
    try:
        async with asyncio.timeout(FETCH_S):
            tokens = await _new_tokens(refused)
        values = {"credentials": seal(refused.did, tokens), "generation": refused.generation + 1}
        if not await _change(refused, mine, values):
            # Its owner signed in or out in the meantime: that counts.
            return await credentials_of(refused.did)
    except TokenRefused as error:
        raise await give_up(refused, error.detail) from None
    except TimeoutError:
        raise Unavailable(f"new credentials of {refused.did} did not come within {FETCH_S:g} s") from None
    finally:
        await _change(refused, mine, {})
    return Credentials(refused.did, refused.pds_url, refused.generation + 1, tokens)


async def _new_tokens(refused: Credentials) -> Tokens:
    grant = refused.tokens.grant
    async with outbound() as http:
        if grant is None:
            return await _new_session(http, refused)
        return await refresh_granted(http, refused.did, refused.tokens.refresh, grant)


async def _new_session(http: Outbound, refused: Credentials) -> Tokens:
    server = Xrpc(http, refused.pds_url, refused.tokens.refresh)
    made = await server.procedure("com.atproto.server.refreshSession")
    access, refresh = made.get("accessJwt"), made.get("refreshJwt")
    if not isinstance(access, str) or not isinstance(refresh, str):
        raise BadAnswer(f"{refused.pds_url} gave no new credentials")
    return Tokens(access, refresh)


async def _account(did: str) -> Account | None:
    async with database().reading() as session:
        return await session.get(Account, did)


def _usable(did: str, account: Account | None) -> Credentials:
    if account is None or account.credentials is None or account.state != AccountState.ACTIVE:
        why = (account.reason if account else None) or "it never signed in here"
        raise AuthExpired(f"{did} must sign in again: {why}", subject=subject_of(did))
    return Credentials(did, account.pds_url, account.generation, unseal(did, account.credentials))


async def _take_lease(refused: Credentials, mine: str) -> bool:
    moment = now()
    statement = (
        update(Account)
        .where(
            Account.did == refused.did,
            Account.generation == refused.generation,
            or_(Account.refreshing.is_(None), Account.refreshing_until < moment),
        )
        .values(refreshing=mine, refreshing_until=moment + timedelta(seconds=LEASE_S))
    )
    async with unit_of_work() as unit:
        return bool((await unit.connection.execute(statement)).rowcount)


async def _change(refused: Credentials, mine: str, values: dict[str, Any]) -> bool:
    """Write this and give the lease back, if it is still mine. Returns whether it was."""
    statement = (
        update(Account)
        .where(Account.did == refused.did, Account.generation == refused.generation, Account.refreshing == mine)
        .values(refreshing=None, refreshing_until=None, **values)
    )
    async with unit_of_work() as unit:
        return bool((await unit.connection.execute(statement)).rowcount)
