"""What an account chose: asked and changed here only."""

from dataclasses import dataclass

from sqlalchemy.dialects import postgresql, sqlite

from backend.db.models.federation import Preferences
from backend.db.session import database, unit_of_work


@dataclass(frozen=True)
class PreferencesView:
    """What an account chose.

    `allow_comments`: whether others may say something about its tracks. `scrobble`: whether what it hears is written to its
    own server.
    """

    allow_comments: bool = True
    scrobble: bool = False


async def get_preferences(did: str | None) -> PreferencesView:
    """What this account chose, or the defaults. Inside a unit it sees what the unit wrote."""
    async with database().reading() as session:
        row = await session.get(Preferences, did) if did else None
    return PreferencesView(row.allow_comments, row.scrobble) if row else PreferencesView()


async def change_preferences(
    did: str, allow_comments: bool | None = None, scrobble: bool | None = None
) -> PreferencesView:
    """Change what is given. What is None stays."""
    given = {"allow_comments": allow_comments, "scrobble": scrobble}
    values = {name: value for name, value in given.items() if value is not None}
    async with unit_of_work() as unit:
        make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
        new = make(Preferences).values(did=did, **values)
        if values:
            await unit.connection.execute(new.on_conflict_do_update(index_elements=["did"], set_=values))
    return await get_preferences(did)
