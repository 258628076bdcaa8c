"""What still refers to an object: rows, what it belongs to, and runs that are not over."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Column, ColumnElement, Text, cast, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.base import Base
from backend.db.models.media import Asset, Export, Track, TrackVersion
from backend.db.models.runs import ACTIVE, Run
from backend.storage import ObjectKey, owner_of


def asset_columns() -> list[Column[str]]:
    """Every column that refers to an asset, also those of tables that come later."""
    keys = [key for table in Base.metadata.sorted_tables for key in table.foreign_keys]
    return [key.parent for key in keys if key.references(Asset.__table__)]


def asset_is_referenced() -> ColumnElement[bool]:
    """Whether any row refers to an asset."""
    return or_(*(exists().where(column == Asset.id) for column in asset_columns()))


async def unreferenced(session: AsyncSession, keys: Sequence[ObjectKey]) -> list[ObjectKey]:
    """Those of these objects that nobody needs. What carries no id of ours is none of our business, and never among them."""
    owners = {key: owner for key in keys if (owner := owner_of(key))}
    alive = await _alive(session, set(owners.values()))
    left = {key: owner for key, owner in owners.items() if owner not in alive}
    if not left:
        return []
    held = await _held(session, left)
    busy = await _busy(session, set(left.values()))
    return [key for key, owner in left.items() if key not in held and owner not in busy]


async def _alive(session: AsyncSession, ids: Collection[str]) -> set[str]:
    found: set[str] = set()
    for statement in (
        select(TrackVersion.id).where(TrackVersion.id.in_(ids)),
        select(Track.id).where(Track.id.in_(ids)),
        select(Export.id).where(Export.id.in_(ids), Export.removed_at.is_(None)),
    ):
        found |= set(await session.scalars(statement))
    return found


async def _held(session: AsyncSession, keys: Iterable[ObjectKey]) -> set[ObjectKey]:
    places = tuple_(Asset.bucket, Asset.key).in_([(str(key.bucket), key.path) for key in keys])
    found = await session.execute(select(Asset.bucket, Asset.key).where(places, asset_is_referenced()))
    return {ObjectKey(bucket, path) for bucket, path in found}


async def _busy(session: AsyncSession, ids: Collection[str]) -> set[str]:
    # An id may stand anywhere in the arguments, so they are searched as text. There are few such ids at a time.
    arguments = cast(Run.args, Text)
    statement = select(arguments).where(Run.state.in_(ACTIVE), or_(*(arguments.contains(each) for each in ids)))
    texts = list(await session.scalars(statement))
    return {each for each in ids if any(each in text for text in texts)}
