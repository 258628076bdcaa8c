"""Resolutions: a labeler takes back what was said of a track, and its copyright flag is settled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from backend.adapters.labeler import Label, latest, query_labels
from backend.db.base import now
from backend.db.models.federation import PdsRecord
from backend.db.models.media import CopyrightScan, TrackVersion
from backend.db.session import database, unit_of_work
from backend.domains.media.verdict import Finding
from backend.runtime import scheduler, task
from backend.settings import get_settings

VALUE = "copyright-violation"


@dataclass(frozen=True)
class Synced:
    """What a look at the labeler came to: flags that were asked about, settled, and raised again."""

    asked: int = 0
    resolved: int = 0
    raised: int = 0


async def sync_resolutions() -> Synced:
    """Ask the labeler about every flagged track that has a record, and settle or raise its flag as it says.

    Only a statement changes anything: an outage raises what `query_labels` does, and an absent label resolves nothing.
    One that is older than a version cannot be about it: its record keeps its address when the audio is replaced.
    """
    flagged = await _flagged()
    if not flagged or get_settings().services.labeler_url is None:
        return Synced()
    uris = sorted({uri for uri, _ in flagged.values()})
    said: dict[str, list[Label]] = {uri: [] for uri in uris}
    for label in await query_labels(uris, get_settings().services.labeler_dids):
        said[label.uri].append(label)
    settled = {
        version: stands(label for label in said[uri] if label.cts >= since).get(uri)
        for version, (uri, since) in flagged.items()
    }
    resolved = [version for version, stands_still in settled.items() if stands_still is False]
    raised = [version for version, stands_still in settled.items() if stands_still is True]
    return Synced(len(flagged), await _mark(resolved, now()), await _mark(raised, None))


def stands(labels: Iterable[Label]) -> Mapping[str, bool]:
    """By subject, whether the violation stands: one source that maintains it is enough, and all must have taken it back.

    A label that ended by itself says nothing, and neither does one of another value.
    """
    moment, found = now(), dict[str, bool]()
    for label in latest(labels):
        if label.val == VALUE and (label.exp is None or label.exp > moment):
            found[label.uri] = found.get(label.uri, False) or not label.neg
    return found


async def _flagged() -> dict[str, tuple[str, datetime]]:
    """The records of flagged tracks, by version, and since when there is this version."""
    record = (PdsRecord.did, PdsRecord.collection, PdsRecord.rkey)
    records = select(CopyrightScan.track_version_id, TrackVersion.created_at, *record)
    records = records.join(TrackVersion, TrackVersion.id == CopyrightScan.track_version_id)
    about = (PdsRecord.subject == CopyrightScan.track_id) & (PdsRecord.kind == "track")
    wanted = records.join(PdsRecord, about).where(CopyrightScan.finding == Finding.FLAGGED)
    async with database().reading() as session:
        rows = (await session.execute(wanted)).all()
    return {version: (f"at://{did}/{collection}/{rkey}", since) for version, since, did, collection, rkey in rows}


async def _mark(versions: list[str], resolved_at: datetime | None) -> int:
    """Settle flags at this moment, or raise them again with None. Gives how many were not so already."""
    stale = CopyrightScan.resolved_at.is_(None) if resolved_at else CopyrightScan.resolved_at.is_not(None)
    these = update(CopyrightScan).where(CopyrightScan.track_version_id.in_(versions), stale)
    async with unit_of_work() as unit:
        return (await unit.connection.execute(these.values(resolved_at=resolved_at))).rowcount


@task(queue="upkeep", cron="*/5 * * * *", timeout=280)
async def sync_copyright_resolutions() -> dict[str, int]:
    """Settle flags as the labeler says. A repeat finds them settled."""
    return vars(await sync_resolutions())


schedule_copyright_resolution_sync = scheduler(sync_copyright_resolutions)
