"""Revocation: credentials that nobody needs any more are ended at the account's server, however long that is away."""

from contextlib import suppress

from sqlalchemy import delete

from backend.adapters.oauth import Issued
from backend.adapters.outbound import outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.db.models.federation import Account, Revocation
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.grants import revoke_granted
from backend.domains.federation.vault import Grant, Tokens, seal, unseal
from backend.runtime import Retry, scheduler, task

RETRY = Retry(attempts=12, base=10, factor=3, cap=6 * 3600)


async def revoke(revocation_id: str) -> bool:
    """End a session at its server. Returns whether there was anything left to end. Raises Unavailable."""
    async with database().reading() as session:
        row = await session.get(Revocation, revocation_id)
    if row is None:
        return False
    tokens = unseal(row.did, row.credentials)
    async with outbound() as http:
        with suppress(TokenRefused):  # then it has ended there by itself
            if tokens.grant is not None:
                await revoke_granted(http, tokens)
            else:
                await Xrpc(http, row.pds_url, tokens.refresh).procedure("com.atproto.server.deleteSession")
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(Revocation).where(Revocation.id == revocation_id))
    return True


@task(queue="federation", retry=RETRY, timeout=60, key="revoke:{revocation_id}")
async def revoke_session(revocation_id: str) -> dict[str, bool]:
    """End a session at its server. A repeat finds it ended."""
    return {"revoked": await revoke(revocation_id)}


schedule_revocation = scheduler(revoke_session)


async def revoke_later(unit: Unit, account: Account) -> None:
    """Within this unit: what the account holds now is revoked soon. The caller gives it something else, or nothing."""
    if account.credentials is not None:
        await _add(unit, Revocation(did=account.did, pds_url=account.pds_url, credentials=account.credentials))


async def revoke_unused(did: str, grant: Grant, issued: Issued) -> None:
    """What was issued when this account should sign in, and was not what was asked for, is revoked soon."""
    sealed = seal(did, Tokens(issued.access, issued.refresh, grant))
    async with unit_of_work() as unit:
        await _add(unit, Revocation(did=did, pds_url=grant.issuer, credentials=sealed))


async def _add(unit: Unit, row: Revocation) -> None:
    unit.session.add(row)
    await unit.flush()
    await schedule_revocation(row.id)
