"""Upkeep of accounts: runs that missed a sign-in go on, and credentials move to the newest key."""

from sqlalchemy import select, update

from backend.db.models.federation import Account, AccountState, Revocation
from backend.db.models.runs import ACTIVE, Run
from backend.db.session import database, unit_of_work
from backend.domains.federation.tokens import subject_of
from backend.domains.federation.vault import reseal
from backend.runtime import scheduler, task
from backend.runtime.runs import release_parked


@task(queue="upkeep", cron="* * * * *")
async def release_signed_in() -> dict[str, int]:
    """Let go on what waits for an account that is signed in. A repeat finds nothing that waits.

    A run can be parked in the very moment of the sign-in it waits for, and would wait for the next one.
    """
    waiting = select(Run.parked_on).where(Run.parked_on.is_not(None), Run.state.in_(ACTIVE)).distinct()
    async with database().reading() as session:
        subjects = set(await session.scalars(waiting))
        active = select(Account.did).where(Account.state == AccountState.ACTIVE)
        signed_in = {subject_of(did) for did in await session.scalars(active)} if subjects else set()
    return {"released": sum([await release_parked(subject) for subject in sorted(subjects & signed_in)])}


@task(queue="upkeep", cron="53 3 * * *")
async def reseal_credentials() -> dict[str, int]:
    """Encrypt all credentials with the newest key, so that an old one can be dropped. A repeat does it again."""
    done = 0
    for model, key in ((Account, Account.did), (Revocation, Revocation.id)):
        async with database().reading() as session:
            rows = (await session.execute(select(key, model.credentials).where(model.credentials.is_not(None)))).all()
        for row_id, sealed in rows:
            # Compared with what was read: fresher credentials stay.
            same = update(model).where(key == row_id, model.credentials == sealed)
            async with unit_of_work() as unit:
                done += (await unit.connection.execute(same.values(credentials=reseal(sealed)))).rowcount
    return {"resealed": done}


schedule_release_signed_in = scheduler(release_signed_in)
schedule_reseal_credentials = scheduler(reseal_credentials)
