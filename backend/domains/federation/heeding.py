"""Heeding: when the network says that a record or an account may have changed, its own server is asked what is true now.

So it matters little in which order news comes, how often, how late, or from whom.
"""

import logging
from datetime import timedelta

from sqlalchemy import delete, select, update

from backend.adapters.identity import Identities
from backend.adapters.outbound import outbound
from backend.adapters.xrpc import Xrpc
from backend.db.base import now
from backend.db.models.federation import Account, Comment, Like, PdsRecord, SavedAudio
from backend.db.models.media import Track
from backend.db.models.network import AwayAccount, KnownRecord
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation import elsewhere
from backend.domains.federation.lexicons import our_collections
from backend.domains.federation.writing import RETRY, TIMEOUT_S
from backend.errors import BadAnswer, Conflict, Forbidden, InvalidInput, NotFound, Refused, Snooze
from backend.runtime import scheduler, task
from backend.runtime.storable import storable
from backend.settings import get_settings

AGAIN = timedelta(seconds=1)
TOGETHER_S = 0.3  # news of the same within this time is one run
DELETED = "deleted"

logger = logging.getLogger(__name__)


async def heed_record_at(uri: str) -> str:
    """Bring what is here to what the record's own server has under this address. Says in a word what became of it.

    A record that a run of ours is about to write is left to that. Raises RateLimited, Unavailable, and Snooze when the
    record was changed here meanwhile.
    """
    did, collection, rkey = uri.removeprefix("at://").split("/")
    here = {"did": did, "collection": collection, "rkey": rkey}
    async with database().reading() as session:
        before = await session.scalar(select(PdsRecord).filter_by(**here))
    if before is not None and before.written_revision != before.wanted_revision:
        return "on its way"
    try:
        there = await _look_up(did, collection, rkey)
    except (NotFound, Refused, InvalidInput) as error:
        # The account is away, or a stranger's server is not in order. No repeat and no operator could help.
        logger.info("%s cannot be asked for: %s", uri, error.detail)
        return "not to be had"
    async with unit_of_work() as unit:
        statement = select(PdsRecord).filter_by(**here).with_for_update().execution_options(populate_existing=True)
        row = await unit.session.scalar(statement)
        if (row and row.wanted_revision) != (before and before.wanted_revision):
            raise Snooze("the record was changed here while its server was asked", after=AGAIN)
        try:
            return await _bring(unit, uri, row, there)
        except (InvalidInput, Forbidden, Conflict) as error:
            logger.info("%s is not taken: %s", uri, error.detail)
            return "not taken"


async def _bring(unit: Unit, uri: str, row: PdsRecord | None, there: elsewhere.There | None) -> str:
    if row is None:
        did, collection, rkey = uri.removeprefix("at://").split("/")
        kind = our_collections().get(collection)
        taken = there is not None and kind and await elsewhere.take(unit, kind, did, rkey, there)
        if taken:
            await unit.connection.execute(delete(KnownRecord).where(KnownRecord.uri == uri))
        return "taken" if taken else "nothing to do"
    if there is None:
        if row.wanted is None:
            return "nothing to do"
        await elsewhere.remove(unit, row)
        return "removed"
    if there["cid"] == row.cid:
        return "as it is here"
    # What was taken away here and is there again may be a late write of ours: `recheck_record` sees to that.
    return "changed" if await elsewhere.change(unit, row, there) else "nothing to do"


async def _look_up(did: str, collection: str, rkey: str) -> elsewhere.There | None:
    async with outbound() as http:
        owner = await Identities(http, get_settings().network).find(did)
        try:
            asked = {"repo": did, "collection": collection, "rkey": rkey}
            there = await Xrpc(http, owner.pds_url).query("com.atproto.repo.getRecord", **asked)
        except Refused as error:
            if error.name == "RecordNotFound":
                return None
            raise
    if not isinstance(there.get("cid"), str) or not isinstance(there.get("value"), dict):
        raise BadAnswer(f"{owner.pds_url} gave no record")
    return there


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="heed:{uri}", unique="debounce")
async def heed_record(uri: str) -> dict[str, str]:
    """Bring what is here to what a record's server has. A repeat finds it so; news meanwhile is one more run."""
    return {"record": await heed_record_at(uri)}


schedule_heed_record = scheduler(heed_record).using(debounce=TOGETHER_S)


async def heed_account_of(did: str) -> str:
    """Ask an account's server how it stands, and who it is. Returns `active`, `deleted`, or why it is away.

    What came from an account that is away is not shown until it is back; what came from a deleted one is removed. Raises
    RateLimited, Unavailable.
    """
    handle, status = await _standing(did)
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(AwayAccount).where(AwayAccount.did == did))
        if handle is not None:
            named = update(Account).where(Account.did == did, Account.handle != handle)
            await unit.connection.execute(named.values(handle=handle))
        if status == DELETED:
            await _forget(unit, did)
        elif status != "active":
            unit.session.add(AwayAccount(did=did, status=status, since=now()))
    return status


async def _standing(did: str) -> tuple[str | None, str]:
    """Its handle, null where nobody can be asked, and how it stands."""
    async with outbound() as http:
        try:
            found = await Identities(http, get_settings().network).find(did)
        except NotFound:
            return None, "not found"  # which may change, so nothing is removed
        try:
            said = await Xrpc(http, found.pds_url).query("com.atproto.sync.getRepoStatus", did=did)
        except Refused as error:
            if error.name != "RepoNotFound":
                raise
            return found.handle, DELETED
    return found.handle, "active" if said.get("active") else storable(str(said.get("status") or "inactive"), 50)


async def _forget(unit: Unit, did: str) -> None:
    """Its server has nothing of it any more, so what stood for that goes, and nothing of it is written again."""
    for model in (Like, Comment, KnownRecord):
        await unit.connection.execute(delete(model).where(model.did == did))
    theirs = select(Track.id).where(Track.artist_did == did)
    await unit.connection.execute(update(SavedAudio).where(SavedAudio.track_id.in_(theirs)).values(blob=None))
    for row in await unit.session.scalars(select(PdsRecord).filter_by(did=did).with_for_update()):
        elsewhere.settle(row, None)


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="heed:{did}", unique="debounce")
async def heed_account(did: str) -> dict[str, str]:
    """Note how an account stands on its own server, and its handle. A repeat asks again."""
    return {"account": await heed_account_of(did)}


schedule_heed_account = scheduler(heed_account).using(debounce=TOGETHER_S)
