"""Resolutions: a labeler takes back what was said of a track, and its copyright flag is settled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select, update

from backend.adapters.labeler import Label, latest, query_labels
from backend.db.base import now
from backend.db.models.federation import PdsRecord
from backend.db.models.media import CopyrightScan
from backend.db.session import database, unit_of_work
from backend.domains.media.verdict import Finding
from backend.runtime import scheduler, task
from backend.settings import get_settings

VALUE = "copyright-violation"
EVERY_S = 300


@dataclass(frozen=True)
class Synced:
    """What a look at the labeler came to: flags that were asked about, settled, and raised again."""

    asked: int = 0
    resolved: int = 0
    raised: int = 0


async def sync_resolutions() -> Synced:
    """Ask the labeler about every flagged track that has a record, and settle or raise its flag as it says.

    Only a statement changes anything: an outage raises what `query_labels` does, and an absent label resolves nothing.
    """
    flagged = await _flagged()
    if not flagged or get_settings().services.labeler_url is None:
        return Synced()
    labels = await query_labels(flagged.values(), get_settings().services.labeler_dids)
    settled = stands(labels)
    resolved = [version for version, uri in flagged.items() if settled.get(uri) is False]
    raised = [version for version, uri in flagged.items() if settled.get(uri) is True]
    return Synced(len(flagged), await _resolve(resolved), await _raise(raised))


def stands(labels: Iterable[Label]) -> Mapping[str, bool]:
    """By subject, whether the violation stands: one source that maintains it is enough, and all must have taken it back.

    A label that ended by itself says nothing, and neither does one of another value.
    """
    moment, found = now(), dict[str, bool]()
    for label in latest(labels):
        if label.val == VALUE and (label.exp is None or label.exp > moment):
            found[label.uri] = found.get(label.uri, False) or not label.neg
    return found


async def _flagged() -> dict[str, str]:
    """The records of flagged tracks, by version."""
    records = select(CopyrightScan.track_version_id, PdsRecord.did, PdsRecord.collection, PdsRecord.rkey)
    about = (PdsRecord.subject == CopyrightScan.track_id) & (PdsRecord.kind == "track")
    wanted = records.join(PdsRecord, about).where(CopyrightScan.finding == Finding.FLAGGED)
    async with database().reading() as session:
        rows = (await session.execute(wanted)).all()
    return {version: f"at://{did}/{collection}/{rkey}" for version, did, collection, rkey in rows}


async def _resolve(versions: list[str]) -> int:
    open_flags = CopyrightScan.track_version_id.in_(versions) & CopyrightScan.resolved_at.is_(None)
    async with unit_of_work() as unit:
        done = await unit.connection.execute(update(CopyrightScan).where(open_flags).values(resolved_at=now()))
    return done.rowcount


async def _raise(versions: list[str]) -> int:
    settled = CopyrightScan.track_version_id.in_(versions) & CopyrightScan.resolved_at.is_not(None)
    async with unit_of_work() as unit:
        done = await unit.connection.execute(update(CopyrightScan).where(settled).values(resolved_at=None))
    return done.rowcount


@task(queue="upkeep", every=EVERY_S, timeout=280)
async def sync_copyright_resolutions() -> dict[str, int]:
    """Settle flags as the labeler says. A repeat finds them settled."""
    return vars(await sync_resolutions())


schedule_copyright_resolution_sync = scheduler(sync_copyright_resolutions)
