"""Copyright: whether a track is, or contains, somebody else's recording."""

import logging
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from backend.adapters.audd import Match, recognise
from backend.db.base import now
from backend.db.models.federation import Account
from backend.db.models.media import CopyrightScan, Track
from backend.db.session import database, unit_of_work
from backend.domains.media.listeners import find_heard, sound_of
from backend.domains.media.notices import schedule_flag_notice
from backend.domains.media.rows import upsert
from backend.domains.media.verdict import Finding, Verdict, judge
from backend.domains.media.versions import QUEUE
from backend.errors import BacklineError
from backend.runtime import Retry, current_run, scheduler, task
from backend.settings import get_settings

logger = logging.getLogger(__name__)

# An outage of hours is waited for: 1, 2, 4, 8 minutes, then an hour each.
PATIENT = Retry(attempts=12, base=60.0, cap=3600.0)


async def scan_track(track_id: str, audio_url: str | None = None) -> Verdict:
    """Ask AuDD about the version a track shows, and note the verdict. A flag is noticed to the operator, once.

    A scan that comes to nothing is noted as `unknown` with its error, unless an earlier one knows more; then it raises
    what `recognise` raises, or NotFound.
    """
    track, version = await find_heard(track_id)
    try:
        async with sound_of(version.id, audio_url) as source:
            matches = await recognise(source)
    except BacklineError as error:
        await _note_outage(track_id, version.id, error)
        raise
    settings = get_settings().services
    names = await _names_of(track)
    verdict = judge(matches, names, settings.copyright_dominant_percent, settings.copyright_positions)
    await _note(track_id, version.id, verdict, matches)
    return verdict


async def _names_of(track: Track) -> list[str]:
    """What the uploader is called: as on the track, and the handle without its domain."""
    async with database().reading() as session:
        handle = await session.scalar(select(Account.handle).where(Account.did == track.artist_did))
    return [name for name in (track.artist, handle.partition(".")[0] if handle else None) if name]


async def _note(track_id: str, version_id: str, verdict: Verdict, matches: Sequence[Match]) -> None:
    values = {**asdict(verdict), "matches": [asdict(match) for match in matches], "error": None, "scanned_at": now()}
    async with unit_of_work() as unit:
        await upsert(unit, CopyrightScan, {"track_version_id": version_id}, {"track_id": track_id, **values})
        if verdict.finding is Finding.FLAGGED:
            await schedule_flag_notice(version_id)
    logger.info("copyright scan stored: track %s is %s", track_id, verdict.finding)


async def _note_outage(track_id: str, version_id: str, error: BacklineError) -> None:
    values = {"track_id": track_id, "finding": Finding.UNKNOWN, "error": error.detail, "scanned_at": now()}
    async with unit_of_work() as unit:
        # A verdict that stands is worth more than a scan that came to nothing.
        known = CopyrightScan.finding == Finding.UNKNOWN
        await upsert(unit, CopyrightScan, {"track_version_id": version_id}, values, where=known)


@task(queue=QUEUE, limit=2, retry=PATIENT, timeout=900, key="copyright:{track_id}")
async def scan_copyright(track_id: str, audio_url: str | None = None) -> dict[str, object]:
    """Scan the version a track shows. A repeat asks once more and writes the same row.

    `audio_url` is where AuDD fetches the sound; left out, it is the original's own address.
    """
    await current_run().progress(0, 1, "asking AuDD")
    verdict = await scan_track(track_id, audio_url)
    await current_run().progress(1, 1, verdict.finding)
    return asdict(verdict)


schedule_copyright_scan = scheduler(scan_copyright, traced="copyright scan")
