"""Notices: the operator is told of a track that was flagged."""

from sqlalchemy import update

from backend.adapters.notice import Notice
from backend.db.base import now
from backend.db.models.media import CopyrightScan, Track
from backend.db.session import database, unit_of_work
from backend.domains.media.verdict import Finding
from backend.errors import NotFound
from backend.runtime import scheduler, task


async def flag_notice(version_id: str) -> Notice | None:
    """What to tell of a flagged version, until `note_told`; None when there is nothing to tell. Raises NotFound."""
    async with database().reading() as session:
        scan = await session.get(CopyrightScan, version_id)
        track = await session.get(Track, scan.track_id) if scan else None
    if scan is None or track is None:
        raise NotFound(f"there is no scan of version {version_id}", field="version_id")
    if scan.notified_at is not None or scan.finding != Finding.FLAGGED:
        return None
    song = f"{scan.dominant_artist} – {scan.dominant_title}"
    said = f"{track.title!r} by {track.artist or track.artist_did or 'nobody'} was flagged: {scan.dominant_percent:.0f} % of the matches are {song}"
    return Notice(
        id=f"copyright.flagged:{version_id}",
        event="copyright.flagged",
        title=f"Backline, a track was flagged: {track.title}",
        text=said,
        data={
            "track_id": track.id,
            "version_id": version_id,
            "artist_did": track.artist_did,
            "dominant": {
                "artist": scan.dominant_artist,
                "title": scan.dominant_title,
                "percent": scan.dominant_percent,
            },
        },
    )


async def note_told(version_id: str) -> None:
    """The notice is on its way: it is not made again."""
    told = update(CopyrightScan).where(CopyrightScan.track_version_id == version_id).values(notified_at=now())
    async with unit_of_work() as unit:
        await unit.connection.execute(told)


@task(queue="upkeep", key="flag-notice:{version_id}")
async def send_flag_notice(version_id: str) -> dict[str, object] | None:
    """Say what the operator is to be told of a flagged version. A repeat says it again, or nothing once it is on its way."""
    notice = await flag_notice(version_id)
    return notice.to_json() if notice else None


schedule_flag_notice = scheduler(send_flag_notice)
