"""The column types hold what they are given, on both dialects."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from backend.db.base import now
from backend.db.models.runs import Control, Run
from backend.db.session import Database

BERLIN = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 23, 6, 59, 41, 123456, tzinfo=UTC),
        datetime(2026, 7, 1, 12, 0, tzinfo=BERLIN),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
async def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database, moment: datetime) -> None:
    async with database.unit() as unit:
        unit.session.add(Control(kind="queue", name="a", updated_at=moment))
    async with database.reading() as session:
        found = await session.scalar(select(Control.updated_at))
        assert found == moment
        assert found is not None
        assert found.utcoffset() == timedelta(0)
        assert await session.scalar(select(Control.name).where(Control.updated_at == moment)) == "a"


async def test_moments_order_as_time_does_whatever_their_zone(database: Database) -> None:
    early = datetime(2026, 1, 1, 12, tzinfo=BERLIN)  # 10:00 UTC
    late = datetime(2026, 1, 1, 11, tzinfo=UTC)
    async with database.unit() as unit:
        unit.session.add(Control(kind="queue", name="late", updated_at=late))
        unit.session.add(Control(kind="queue", name="early", updated_at=early))
    async with database.reading() as session:
        assert list(await session.scalars(select(Control.name).order_by(Control.updated_at))) == ["early", "late"]
        assert list(await session.scalars(select(Control.name).where(Control.updated_at < late))) == ["early"]


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(StatementError, match="time zone"):
            await session.execute(select(Control).where(Control.updated_at < datetime(2026, 1, 1)))


def test_now_is_in_utc() -> None:
    assert now().utcoffset() == timedelta(0)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "ü", True]}, [], {}, None], ids=str)
async def test_json_comes_back_as_it_was(database: Database, value: object) -> None:
    async with database.unit() as unit:
        await unit.connection.execute(insert(Run).values(task="t", queue="q", args={"x": 1}, result=value))
    async with database.reading() as session:
        run = await session.scalar(select(Run))
        assert run is not None
        assert run.result == value
        assert run.args == {"x": 1}
        # None is SQL NULL, so that a query for it finds it.
        assert (await session.scalar(select(Run.id).where(Run.result.is_(None))) is not None) == (value is None)
