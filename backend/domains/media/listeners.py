"""What a service outside gets to hear of a track: an address that it can reach, or the file itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from backend.db.models.media import Track, TrackVersion
from backend.db.session import database
from backend.domains.media.shown import find_shown
from backend.domains.media.versions import find_original
from backend.settings import get_settings
from backend.storage import storage

LINK_LIFE = timedelta(hours=2)


def asked_services() -> set[str]:
    """The services that have a token, by name."""
    settings = get_settings().services
    tokens = {"audd": settings.audd_token, "replicate": settings.replicate_token}
    return {name for name, token in tokens.items() if token is not None}


async def find_heard(track_id: str) -> tuple[Track, TrackVersion]:
    """A track and the version it shows. Raises NotFound."""
    async with database().reading() as session:
        track, version, _ = await find_shown(session, track_id)
    return track, version


async def shown_track(version_id: str) -> str | None:
    """The track that shows this version; None when it shows another one by now."""
    async with database().reading() as session:
        return await session.scalar(select(Track.id).where(Track.current_version_id == version_id))


@asynccontextmanager
async def sound_of(version_id: str, given: str | None = None) -> AsyncIterator[str | Path]:
    """The address that the caller gave, else a link to the original, else a local copy, while the block runs.

    A link of our own leads to this machine's name only, which is of no use to others: then the file is sent.
    """
    if given is not None:
        yield given
        return
    original = await find_original(version_id)
    link = await storage().url(original.key, LINK_LIFE)
    if link.startswith(("https://", "http://")):
        yield link
        return
    async with original.open() as file:
        yield file
