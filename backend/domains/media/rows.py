"""Rows that are written again and again by runs that may repeat: each is there once, with the newest values."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import Base, now
from backend.db.ids import new_id
from backend.db.models.media import Asset
from backend.db.session import Unit
from backend.storage import ObjectKey


async def upsert(
    unit: Unit,
    model: type[Base],
    key: Mapping[str, object],
    values: Mapping[str, object],
    where: ColumnElement[bool] | None = None,
) -> None:
    """Insert the row with this key, or give it these values, if it is such a row. Two runs at once end with one row."""
    make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(model).values(**key, **values)
    await unit.connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=dict(values), where=where)
    )


async def record_asset(unit: Unit, key: ObjectKey, size_bytes: int) -> str:
    """Note that an object is in storage, and give its id. The same object keeps its id when it is written again."""
    place = {"bucket": str(key.bucket), "key": key.path}
    make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    values = {"mime": key.content_type, "size_bytes": size_bytes}
    statement = make(Asset).values(id=new_id(), created_at=now(), **place, **values)
    await unit.connection.execute(statement.on_conflict_do_update(index_elements=list(place), set_=values))
    found = await unit.connection.scalar(select(Asset.id).filter_by(**place))
    assert found is not None
    return found
