"""Playlists of gated tracks: every file in them by a signed link of its own, which ends."""

import re
from datetime import timedelta

from backend.settings import get_settings
from backend.storage import ObjectKey, storage

_URI = re.compile(r'(?<=URI=")[^"]+(?=")')


def link_lifetime() -> timedelta:
    """How long links to gated files live."""
    return timedelta(seconds=get_settings().media.gated_link_s)


async def signed_playlist(key: ObjectKey) -> bytes:
    """A media playlist whose init segment and segments are signed links. Raises NotFound."""
    folder = key.path.rpartition("/")[0]

    async def link(name: str) -> str:
        return await storage().url(ObjectKey(key.bucket, f"{folder}/{name}"), link_lifetime())

    lines = []
    for line in (await storage().read(key)).decode().splitlines():
        if line.startswith("#"):
            named = _URI.search(line)
            lines.append(_URI.sub(await link(named[0]), line) if named else line)
        else:
            lines.append(await link(line) if line.strip() else line)
    return "\n".join([*lines, ""]).encode()
