"""The watch: troubles are told of once in a period, and once more when they are over. It remembers in the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from backend.adapters.notice import Notice
from backend.db.base import now
from backend.db.models.alerts import Trouble
from backend.db.session import Unit, database, unit_of_work
from backend.domains.alerts.notices import tell
from backend.domains.alerts.troubles import Found, find_troubles
from backend.runtime import scheduler, task
from backend.settings import get_settings

# What kind of trouble a subject is, for the title of a notice.
TITLES = {
    "dead": "dead letters of {}",
    "schedule": "the schedule {} fails",
    "silent": "the queue {} stands still",
    "crash": "processes on {} die again and again",
    "lost": "workers die under {}",
}


@dataclass(frozen=True)
class TroubleView:
    """A trouble that is there: what it is about, since when, and when the operator was last told."""

    subject: str
    text: str
    opened_at: datetime
    told_at: datetime


async def open_troubles() -> list[TroubleView]:
    """What the last watch found, the oldest first."""
    chosen = select(Trouble).where(Trouble.resolved_at.is_(None)).order_by(Trouble.opened_at, Trouble.subject)
    async with database().reading() as session:
        rows = (await session.scalars(chosen)).all()
    return [TroubleView(row.subject, row.text, row.opened_at, row.told_at) for row in rows]


async def watch(moment: datetime | None = None) -> dict[str, int]:
    """Compare what is wrong with what the operator was told, and tell the difference.

    Returns how many troubles are `open`, and how many notices were about `told` and `resolved` ones.
    """
    moment, settings = moment or now(), get_settings()
    async with database().reading() as session:
        found = {trouble.subject: trouble for trouble in await find_troubles(session, settings, moment)}
    period = timedelta(seconds=settings.alerts.alert_repeat_s)
    async with unit_of_work() as unit:
        known = {row.subject: row for row in (await unit.session.scalars(select(Trouble).with_for_update())).all()}
        told = [await _note(unit, known.get(subject), trouble, moment, period) for subject, trouble in found.items()]
        over = [await _close(row, moment) for subject, row in known.items() if subject not in found]
        old = delete(Trouble).where(Trouble.resolved_at < moment - period, Trouble.subject.not_in(list(found)))
        await unit.flush()
        await unit.connection.execute(old)
    return {"open": len(found), "told": sum(told), "resolved": sum(over)}


async def _note(unit: Unit, row: Trouble | None, found: Found, moment: datetime, period: timedelta) -> bool:
    if row is None:
        row = Trouble(subject=found.subject, text=found.text, opened_at=moment, told_at=moment)
        unit.session.add(row)
        await tell(_notice(row, "trouble.opened", moment))
        return True
    row.text = found.text
    again = row.resolved_at is not None
    if again:
        row.opened_at, row.resolved_at = moment, None
    if moment - row.told_at < period:
        return False
    row.told_at = moment
    await tell(_notice(row, "trouble.opened" if again else "trouble.continues", moment))
    return True


async def _close(row: Trouble, moment: datetime) -> bool:
    if row.resolved_at is not None:
        return False
    row.resolved_at = moment
    if row.told_at < row.opened_at:
        return False  # it came back too soon to be told of, so nobody waits for its end
    await tell(_notice(row, "trouble.resolved", moment))
    return True


def _notice(row: Trouble, event: str, moment: datetime) -> Notice:
    kind, _, name = row.subject.partition(":")
    title = TITLES[kind].format(name)
    words = {"trouble.opened": "", "trouble.continues": "still: ", "trouble.resolved": "resolved: "}
    over = f"It began at {row.opened_at:%Y-%m-%d %H:%M} UTC and is over. It was: {row.text}"
    data = {"subject": row.subject, "since": row.opened_at.isoformat(), "at": moment.isoformat()}
    return Notice(
        id=f"{event}:{row.subject}:{int(moment.timestamp())}",
        event=event,
        title=f"Backline, {words[event]}{title}",
        text=over if event == "trouble.resolved" else row.text,
        data=data,
    )


@task(queue="upkeep", cron="* * * * *", priority=20, timeout=120)
async def watch_for_trouble() -> dict[str, int]:
    """Tell the operator of what needs a person. A repeat finds that they were told."""
    return await watch()


schedule_watch_for_trouble = scheduler(watch_for_trouble)
