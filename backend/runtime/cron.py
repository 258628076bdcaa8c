"""When a schedule is due: cron expressions and intervals. Pure: a moment goes in, the next one comes out."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from backend.errors import InvalidSchedule

INTERVAL = re.compile(r"every\s+(\d+(?:\.\d+)?)\s*(s|m|h|d)?", re.IGNORECASE)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST = 1.0
LENGTH_LIMIT = 100


@dataclass(frozen=True)
class Timing:
    """A cron expression in UTC, or an interval. `text` is the form it is written and stored in."""

    text: str
    interval: timedelta | None = None

    def first(self, now: datetime) -> datetime:
        """When a schedule that was never seen before is due: an interval at once, a cron at its next match."""
        return now if self.interval else self.next(now)

    def next(self, after: datetime, now: datetime | None = None) -> datetime:
        """The first due time later than `after`, and later than `now` if that is given.

        An interval keeps its beat: after a gap it is due at a multiple of the interval from `after`.
        """
        floor = max(after, now) if now else after
        if self.interval is None:
            return next(CronSim(self.text, floor.astimezone(UTC)))
        beats = (floor - after) // self.interval + 1
        return after + beats * self.interval


def parse_timing(text: str) -> Timing:
    """Read `every 300`, `every 5 m` or a cron expression of five fields. Raises InvalidSchedule, saying what is wrong."""
    clean = " ".join(text.split())
    if clean.lower().startswith("every"):
        match = INTERVAL.fullmatch(clean)
        if not match:
            raise InvalidSchedule(f"{text!r} is not an interval: write `every 300` or `every 5 m`", field="schedule")
        seconds = float(match[1]) * UNITS[(match[2] or "s").lower()]
        if not SHORTEST <= seconds <= 366 * 86400:
            raise InvalidSchedule(f"{text!r}: an interval is between 1 second and 366 days", field="schedule")
        return Timing(f"every {seconds:f}".rstrip("0").rstrip("."), timedelta(seconds=seconds))
    if len(clean) > LENGTH_LIMIT:
        raise InvalidSchedule(f"a cron expression has at most {LENGTH_LIMIT} characters", field="schedule")
    if len(clean.split(" ")) != 5:
        raise InvalidSchedule(
            f"{text!r} is neither an interval nor a cron expression: write `every 300`, or five fields such as `0 1 * * *`",
            field="schedule",
        )
    try:
        next(CronSim(clean, datetime(2024, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise InvalidSchedule(
            f"{text!r} is not a cron expression: {error or 'it never matches'}", field="schedule"
        ) from None
    return Timing(clean)
