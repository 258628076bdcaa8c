"""Rows that are written again are still there once."""

import asyncio

from sqlalchemy import func, select

from backend.db.models.media import Asset
from backend.db.session import Database, unit_of_work
from backend.domains.media.rows import record_asset
from backend.storage import waveform_key


async def test_s13_an_object_has_one_row_whoever_writes_it(database: Database) -> None:
    async def record(size: int) -> str:
        async with unit_of_work() as unit:
            return await record_asset(unit, waveform_key("v1", ".json"), size)

    ids = await asyncio.gather(*(record(size) for size in range(1, 21)))
    assert len(set(ids)) == 1
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Asset)) == 1
        asset = await session.get(Asset, ids[0])
    assert asset
    assert (asset.bucket, asset.key, asset.mime) == ("public", "v1/waveform.json", "application/json")
    assert 1 <= asset.size_bytes <= 20


async def test_an_object_may_be_larger_than_2_gb(database: Database) -> None:
    async with unit_of_work() as unit:
        await record_asset(unit, waveform_key("v1", ".json"), 5_000_000_000)
    async with database.reading() as session:
        assert (await session.scalars(select(Asset.size_bytes))).one() == 5_000_000_000
