"""A task of the tests: it calls the account's server."""

from backend.domains.federation.pds import pds_of
from backend.runtime import Retry, scheduler, task


@task(queue="federation", retry=Retry(attempts=3, base=0.1))
async def ask_handle(did: str) -> str:
    """Asks a server for an account's handle. A repeat asks again."""
    async with pds_of(did) as pds:
        return str((await pds.query("com.atproto.server.getSession"))["handle"])


schedule_ask_handle = scheduler(ask_handle)
