"""The rows of a version's streams, one for each format, and where each of them stands."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import select, update

from backend.db.base import now
from backend.db.models.media import StreamStatus, Transcode, VersionStatus
from backend.db.session import database, unit_of_work
from backend.domains.media.formats import PLAYLIST, StreamFormat
from backend.domains.media.home import note_written
from backend.domains.media.master import write_master
from backend.domains.media.rows import record_asset, upsert
from backend.domains.media.versions import move, outcome_of
from backend.runtime import current_run
from backend.runtime.context import active_run_id
from backend.storage import Bucket, hls_key, hls_prefix


class MakingStream:
    """While this block runs one stream of a version is made. Its row says so, and how it ended.

    A stream that is `ready` stays so while it is made again, and when that fails: what listeners have still plays.
    """

    def __init__(self, version_id: str, format: StreamFormat, home: Bucket) -> None:
        self.plays = False  # whether there is one already
        self._version_id = version_id
        self._format = format
        self._home = home

    async def __aenter__(self) -> Self:
        async with database().reading() as session:
            stream = await session.get(Transcode, (self._version_id, self._format))
        self.plays = stream is not None and stream.status == StreamStatus.READY
        await _note(self._version_id, self._format, StreamStatus.PROCESSING)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            status, reason = outcome_of(error)
            await asyncio.shield(_note(self._version_id, self._format, StreamStatus(status), reason))

    async def publish(self, playlist_bytes: int) -> None:
        """The stream is whole and in storage: from now on it plays, and so does its version.

        The master playlist names it first, so that whoever sees the version `ready` finds it there.
        """
        await write_master(self._version_id, self._format, self._home)
        async with unit_of_work() as unit:
            await note_written(unit, self._version_id, self._home)
            key = hls_key(self._version_id, self._format, PLAYLIST).within(self._home)
            asset = await record_asset(unit, key, playlist_bytes)
            values = {
                "status": StreamStatus.READY,
                "error": None,
                "playlist_asset_id": asset,
                "run_id": active_run_id(),
                **_place(self._version_id, self._format),
            }
            await upsert(unit, Transcode, _key(self._version_id, self._format), values)
            await move(self._version_id, VersionStatus.READY)


async def begin_streams(version_id: str, formats: Sequence[StreamFormat]) -> None:
    """From now on none of these counts as made by the current run."""
    these = update(Transcode).where(Transcode.track_version_id == version_id, Transcode.format.in_(formats))
    async with unit_of_work() as unit:
        await unit.connection.execute(these.values(run_id=None))


async def made_by_this_run(version_id: str) -> set[StreamFormat]:
    """The streams that play since an earlier attempt of the current run. On a first attempt there are none."""
    if current_run().attempt == 1:
        return set()
    made = select(Transcode.format).filter_by(
        track_version_id=version_id, status=StreamStatus.READY, run_id=current_run().id
    )
    async with database().reading() as session:
        return set(map(StreamFormat, await session.scalars(made)))


async def skip_stream(version_id: str, format: StreamFormat, reason: str) -> None:
    """Note why a stream is not made. One that plays already goes on playing."""
    await _note(version_id, format, StreamStatus.SKIPPED, reason)


async def _note(version_id: str, format: StreamFormat, status: StreamStatus, error: str | None = None) -> None:
    values = {"status": status, "error": error} | _place(version_id, format)
    async with unit_of_work() as unit:
        await upsert(unit, Transcode, _key(version_id, format), values, where=Transcode.status != StreamStatus.READY)


def _key(version_id: str, format: StreamFormat) -> dict[str, object]:
    return {"track_version_id": version_id, "format": format}


def _place(version_id: str, format: StreamFormat) -> dict[str, object]:
    return {"segment_prefix_key": hls_prefix(version_id, format), "updated_at": now()}
