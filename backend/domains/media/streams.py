"""The rows of a version's streams, one for each format, and where each of them stands."""

import asyncio
from types import TracebackType
from typing import Self

from backend.db.base import now
from backend.db.models.media import Transcode, VersionStatus
from backend.db.session import unit_of_work
from backend.domains.media.formats import PLAYLIST, StreamFormat
from backend.domains.media.rows import record_asset, upsert
from backend.domains.media.versions import move, outcome_of
from backend.storage import hls_key, hls_prefix


class MakingStream:
    """While this block runs one stream of a version is made. Its row says so, and how it ended.

    A stream that is `ready` stays so while it is made again, and when that fails: what listeners have still plays.
    """

    def __init__(self, version_id: str, format: StreamFormat) -> None:
        self._version_id = version_id
        self._format = format

    async def __aenter__(self) -> Self:
        await self._note(VersionStatus.PROCESSING, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await asyncio.shield(self._note(*outcome_of(error)))

    async def publish(self, playlist_bytes: int) -> None:
        """The stream is whole and in storage: from now on it plays, and so does its version."""
        async with unit_of_work() as unit:
            asset = await record_asset(unit, hls_key(self._version_id, self._format, PLAYLIST), playlist_bytes)
            values = {"status": VersionStatus.READY, "error": None, "playlist_asset_id": asset, **self._place()}
            await upsert(unit, Transcode, self._key(), values)
            await move(self._version_id, VersionStatus.READY)

    async def _note(self, status: VersionStatus, error: str | None) -> None:
        async with unit_of_work() as unit:
            values = {"status": status, "error": error, **self._place()}
            await upsert(unit, Transcode, self._key(), values, where=Transcode.status != VersionStatus.READY)

    def _key(self) -> dict[str, object]:
        return {"track_version_id": self._version_id, "format": self._format}

    def _place(self) -> dict[str, object]:
        return {"segment_prefix_key": hls_prefix(self._version_id, self._format), "updated_at": now()}
