"""Notices: the operator is told of what needs a person."""

import html
import json

from sqlalchemy import update

from backend.adapters.services import check, chosen_service
from backend.db.base import now
from backend.db.models.media import CopyrightScan, Track
from backend.db.session import database, unit_of_work
from backend.domains.media.verdict import Finding
from backend.errors import NotFound
from backend.runtime import Retry, scheduler, task
from backend.settings import get_settings

DISCORD_LIMIT = 2000


async def notify_flag(version_id: str) -> bool:
    """Post a flagged version to NOTICE_URL. Returns whether something was sent: once, and never without an address.

    The notice's `id` is the same in a repeat, so that a receiver can tell. Raises NotFound, and what `check` raises.
    """
    async with database().reading() as session:
        scan = await session.get(CopyrightScan, version_id)
        track = await session.get(Track, scan.track_id) if scan else None
    if scan is None or track is None:
        raise NotFound(f"there is no scan of version {version_id}", field="version_id")
    address = get_settings().services.notice_url
    if address is None or scan.notified_at is not None or scan.finding != Finding.FLAGGED:
        return False
    song = f"{scan.dominant_artist} – {scan.dominant_title}"
    said = f"{track.title!r} by {track.artist or track.artist_did or 'nobody'} was flagged: {scan.dominant_percent:.0f} % of the matches are {song}"
    notice = {
        "id": f"copyright.flagged:{version_id}",
        "event": "copyright.flagged",
        "track_id": track.id,
        "version_id": version_id,
        "artist_did": track.artist_did,
        "dominant": {"artist": scan.dominant_artist, "title": scan.dominant_title, "percent": scan.dominant_percent},
        "text": html.escape(said, quote=False),  # what Slack shows
        "content": said[:DISCORD_LIMIT],  # what Discord shows
        "allowed_mentions": {"parse": []},  # a title with @everyone calls nobody
    }
    headers, body = {"Content-Type": "application/json"}, json.dumps(notice).encode()
    async with chosen_service() as http:
        answer = await http.fetch("POST", address.get_secret_value(), headers=headers, content=body)
    check(answer, "the address for notices", "NOTICE_URL")
    told = update(CopyrightScan).where(CopyrightScan.track_version_id == version_id).values(notified_at=now())
    async with unit_of_work() as unit:
        await unit.connection.execute(told)
    return True


@task(queue="upkeep", retry=Retry(attempts=12, base=60.0, cap=3600.0), timeout=600, key="flag-notice:{version_id}")
async def send_flag_notice(version_id: str) -> dict[str, bool]:
    """Tell the operator of a flagged version. A repeat finds that they were told; at worst they get the same id twice."""
    return {"sent": await notify_flag(version_id)}


schedule_flag_notice = scheduler(send_flag_notice)
