"""Notices to the operator: one run for each channel, so that one that is away holds up no other."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete

from backend.adapters.notice import Notice, channels, deliver
from backend.db.base import now
from backend.db.models.alerts import SentNotice
from backend.db.session import database, unit_of_work
from backend.runtime import Retry, scheduler, task

KEPT = timedelta(days=30)


async def tell(notice: Notice) -> list[str]:
    """Have it sent through every channel that the settings name. Returns those. Inside a unit of work it commits with it."""
    chosen = channels()
    async with unit_of_work():
        for channel in chosen:
            await schedule_notice(channel, notice.id, notice.to_json())
    return chosen


async def tell_json(notice: dict[str, Any]) -> list[str]:
    """The same for a notice as `to_json` makes it, which is how a run hands it on."""
    return await tell(Notice(**notice))


async def send(channel: str, notice: Notice) -> bool:
    """Send it, unless this channel took it before. Returns whether it was sent. Raises what `deliver` raises."""
    async with database().reading() as session:
        if await session.get(SentNotice, (notice.id, channel)) is not None:
            return False
    if not await deliver(channel, notice):
        return False
    async with unit_of_work() as unit:
        unit.session.add(SentNotice(notice_id=notice.id, channel=channel))
        await unit.connection.execute(delete(SentNotice).where(SentNotice.sent_at < now() - KEPT))
    return True


@task(
    queue="upkeep",
    priority=10,
    retry=Retry(attempts=12, base=60.0, cap=3600.0),
    timeout=600,
    key="{channel}:{notice_id}",
)
async def send_notice(channel: str, notice_id: str, notice: dict[str, Any]) -> dict[str, bool]:
    """Send a notice through one channel. A repeat finds that it went out; at worst the same id arrives twice."""
    return {"sent": await send(channel, Notice(**notice))}


schedule_notice = scheduler(send_notice)
