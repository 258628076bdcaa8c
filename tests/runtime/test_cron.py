"""When schedules are due: cron expressions and intervals."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidSchedule
from backend.runtime.cron import parse_timing

moments = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("0 1 * * *", "2026-01-31 01:00", "2026-02-01 01:00"),
        ("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00"),  # February and its neighbours have none
        ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
        ("0 0 L * *", "2026-02-01 00:00", "2026-02-28 00:00"),
        ("0 12 30 4 *", "2026-04-30 12:00", "2027-04-30 12:00"),
        ("*/15 * * * *", "2026-12-31 23:50", "2027-01-01 00:00"),
        ("5 4 * * sun", "2026-11-23 00:00", "2026-11-29 04:05"),
        ("0 9 1 * mon", "2026-11-24 00:00", "2026-11-30 09:00"),  # either day counts, as in every cron
    ],
)
def test_cron_matches(expression: str, after: str, due: str) -> None:
    assert parse_timing(expression).next(at(after)) == at(due)


def test_cron_is_in_utc_wherever_the_moment_comes_from() -> None:
    berlin = datetime(2026, 7, 1, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    assert parse_timing("0 1 * * *").next(berlin) == at("2026-07-01 01:00")


@pytest.mark.parametrize(
    ("text", "stored", "seconds"),
    [
        ("every 300", "every 300", 300),
        ("EVERY  5 m", "every 300", 300),
        ("every 1.5h", "every 5400", 5400),
        ("every 14d", "every 1209600", 1209600),
        ("every 2.25", "every 2.25", 2.25),
        ("every 100000.5", "every 100000.5", 100000.5),
    ],
)
def test_intervals_are_read_and_stored_in_one_form(text: str, stored: str, seconds: float) -> None:
    timing = parse_timing(text)
    assert timing.text == stored
    assert timing.interval == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every",
        "every 0",
        "every -5",
        "every 0.5",
        "every 9999d",
        "every 5 y",
        "every nan",
        f"every {'9' * 400}",
        "* * * *",
        "* * * * * *",
        "61 * * * *",
        "0 0 30 2 *",
        "0 0 * * 9",
        "not a cron at all",
        f"{','.join(map(str, range(60)))} * * * *",
    ],
)
def test_what_is_no_timing_is_said(text: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse_timing(text)
    assert caught.value.field == "schedule"


@given(st.floats(1, 366 * 86400), moments, st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_an_interval_keeps_its_beat_after_any_gap(seconds: float, last: datetime, gap: timedelta) -> None:
    timing = parse_timing(f"every {seconds:f}")
    assert timing.interval is not None
    assert parse_timing(timing.text) == timing
    due, now = timing.next(last, last + gap), last + gap
    assert now < due <= now + timing.interval
    assert (due - last) % timing.interval == timedelta(0)


minutes, hours, days = st.integers(0, 59), st.integers(0, 23), st.integers(1, 28)


@given(minutes, hours, days, moments, moments)
def test_a_cron_is_due_at_its_fields_and_later_than_both_moments(
    minute: int, hour: int, day: int, after: datetime, now: datetime
) -> None:
    timing = parse_timing(f"{minute} {hour} {day} * *")
    due = timing.next(after, now)
    assert due > max(after, now)
    assert (due.minute, due.hour, due.day, due.second) == (minute, hour, day, 0)
    assert due - max(after, now) <= timedelta(days=32)


def test_a_new_interval_is_due_at_once_and_a_new_cron_at_its_match() -> None:
    now = at("2026-11-23 07:00")
    assert parse_timing("every 300").first(now) == now
    assert parse_timing("0 8 * * *").first(now) == at("2026-11-23 08:00")
