"""A version and its original: found, opened, and moved from `pending` to `ready` or `failed`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sqlalchemy import select, update

from backend.db.models.media import Asset, Track, TrackVersion, VersionStatus
from backend.db.session import database, unit_of_work
from backend.domains.media.shown import became_ready
from backend.domains.media.workspace import workspace
from backend.errors import Conflict, NotFound, Steer
from backend.runtime import Retry, current_run
from backend.runtime.context import active_run_id
from backend.runtime.retry import decide
from backend.storage import Bucket, ObjectKey, storage

QUEUE = "media"
RETRY = Retry(attempts=3, base=5.0)  # three attempts have two pauses between them: 5 s and 10 s
STOPPED = "the work was stopped before its end"


@dataclass(frozen=True)
class Original:
    """The uploaded file of a version, what ingest measured on it, and whose it is."""

    version_id: str
    track_id: str
    key: ObjectKey
    duration_s: float | None
    sample_rate: int | None
    channels: int | None
    lossless: bool | None
    artist_did: str | None
    home: Bucket  # where what is made of it belongs

    def measured(self) -> tuple[float, int, int]:
        """Seconds, Hz and channels. Raises Conflict when ingest has not looked at the file yet."""
        if self.duration_s is None or self.sample_rate is None or self.channels is None:
            raise Conflict(f"version {self.version_id} has not been ingested: run ingest_upload first")
        return self.duration_s, self.sample_rate, self.channels

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Path]:
        """A local copy, alone in a private directory, while the block runs. Its name is ours, not the uploader's."""
        async with workspace() as directory:
            file = directory / f"original{self.key.suffix}"
            await storage().download(self.key, file)
            yield file


async def find_original(version_id: str) -> Original:
    """The original of a version. Raises NotFound."""
    wanted = (
        select(TrackVersion, Asset, Track.artist_did)
        .join(Asset, Asset.id == TrackVersion.original_asset_id)
        .join(Track, Track.id == TrackVersion.track_id)
        .where(TrackVersion.id == version_id)
    )
    async with database().reading() as session:
        found = (await session.execute(wanted)).first()
    if found is None:
        raise NotFound(f"there is no version {version_id}", field="version_id")
    version, asset, artist_did = found
    key = ObjectKey(Bucket(asset.bucket), asset.key)
    measured = (version.duration_s, version.sample_rate, version.channels, version.lossless)
    return Original(version.id, version.track_id, key, *measured, artist_did, Bucket(version.home))


class Making:
    """While this block runs its version is `processing`; how it ends decides what the version becomes.

    A version that is `ready` stays so, for what listeners have still plays. Between two attempts it is `pending` with the
    error of the last one: nothing works on it, and nothing is lost yet. It is `failed` after the last attempt only.
    """

    def __init__(self, version_id: str) -> None:
        self._version_id = version_id

    async def __aenter__(self) -> None:
        await move(self._version_id, VersionStatus.PROCESSING)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # A cancelled run has little time left, but enough to say where it stands.
            await asyncio.shield(move(self._version_id, *outcome_of(error)))


def outcome_of(error: BaseException) -> tuple[VersionStatus, str]:
    """What an attempt that ended with `error` leaves behind: `pending` while another one follows, else `failed`.

    Outside of the runner there is only one attempt. A stop from outside does not say whether the run comes back.
    """
    stopped = isinstance(error, asyncio.CancelledError)
    attempt = RETRY.attempts if active_run_id() is None else current_run().attempt
    last = attempt >= RETRY.attempts if stopped else decide(error, attempt, RETRY).steer is Steer.DIE
    reason = STOPPED if stopped else str(error) or type(error).__name__
    return VersionStatus.FAILED if last else VersionStatus.PENDING, reason


async def move(version_id: str, status: VersionStatus, error: str | None = None) -> None:
    """Give a version a status. Nothing but `ready` replaces `ready`. One that a track waits for is shown."""
    statement = update(TrackVersion).where(TrackVersion.id == version_id).values(status=status, error=error)
    if status is not VersionStatus.READY:
        statement = statement.where(TrackVersion.status != VersionStatus.READY)
    async with unit_of_work() as unit:
        await unit.connection.execute(statement)
        if status is VersionStatus.READY:
            await became_ready(unit, version_id)
