"""From settings to a running crew: the database, its migrations, and the runner on top of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.db.migrate import prepare
from backend.db.session import open_database
from backend.runtime.runner import Runner, open_runner
from backend.settings import Settings


@asynccontextmanager
async def open_background(settings: Settings, kind: str) -> AsyncIterator[Runner]:
    """Open the database, bring it to the models where the settings say so, and make this process part of the crew.

    Tasks must be declared before. Raises Misconfigured when the database is behind the code.
    """
    async with open_database(settings.database) as database:
        await prepare(database)
        async with open_runner(settings, kind) as runner:
            yield runner
