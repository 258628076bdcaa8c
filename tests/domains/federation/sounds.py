"""Sounds in memory, and a published track of alice's whose audio is saved."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from backend.domains.federation.publication import get_publication
from backend.domains.federation.save_audio import save_audio
from backend.domains.federation.saved_audio import get_saved
from tests.network.server import NetworkServer

MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" * 5000


def mp3(seed: str) -> bytes:
    """A sound that no other test sends: the server has each only once."""
    return MP3 + seed.encode()


@dataclass
class Bytes:
    """A sound that is in memory. `then` is called in the middle of it; `sent` counts how often it was begun."""

    content: bytes
    what: str = "original"
    mime: str = "audio/mpeg"
    announced: int = 0
    then: Callable[[], Any] | None = field(default=None)
    sent: int = 0

    @property
    def size(self) -> int:
        return self.announced or len(self.content)

    async def chunks(self) -> AsyncIterator[bytes]:
        self.sent += 1
        middle = len(self.content) // 2
        yield self.content[:middle]
        if self.then:
            await self.then()
        yield self.content[middle:]


async def unwatched(done: int, total: int, what: str) -> None:
    """Nobody watches."""


class Alices:
    """A published track of alice's, and what anybody can fetch of it."""

    def __init__(self, platform: NetworkServer, track_id: str, version_id: str) -> None:
        self.did, self.track_id, self.version_id, self._pds_url = (
            platform.alice.did,
            track_id,
            version_id,
            platform.pds_url,
        )

    async def save(self, *sounds: Any) -> None:
        """Save the audio."""
        await save_audio(self.track_id, self.version_id, sounds, unwatched)

    async def record(self) -> dict[str, Any]:
        """The track's record."""
        found = await get_publication(self.track_id)
        rkey = found.uri.rpartition("/")[2]
        asked = {"repo": self.did, "collection": "fm.backline.track", "rkey": rkey}
        return dict((await self._ask("com.atproto.repo.getRecord", asked)).raise_for_status().json()["value"])

    async def fetched(self, blob: dict[str, Any] | None = None) -> bytes | None:
        """The bytes of the saved blob, or of this one; None when the server has none."""
        blob = blob or (await get_saved(self.track_id)).blob
        assert blob
        answer = await self._ask("com.atproto.sync.getBlob", {"did": self.did, "cid": blob["ref"]["$link"]})
        return answer.content if answer.status_code == 200 else None

    async def _ask(self, method: str, params: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"{self._pds_url}/xrpc/", timeout=60) as client:
            return await client.get(method, params=params)
