"""Move audio: what was made of a track goes to the private bucket when it is gated, and back when it is not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.models.runs import Run, State
from backend.db.session import Unit, database, unit_of_work
from backend.domains.media.home import home_for
from backend.domains.media.lanes import together
from backend.domains.media.references import asset_columns, asset_is_referenced
from backend.domains.media.rows import record_asset
from backend.domains.media.versions import QUEUE, RETRY
from backend.errors import NotFound, Snooze, Unavailable
from backend.runtime import current_run, scheduler, task
from backend.runtime.context import active_run_id
from backend.storage import Bucket, ObjectInfo, ObjectKey, artwork_key, storage

PARALLEL_COPIES = 4
LOOK_AGAIN_S = 30.0
AFTER_THE_OTHER = timedelta(seconds=2)

Report = Callable[[int, int, str], Awaitable[None]]  # versions done, versions in all, what is done


@dataclass
class Moved:
    """What a move did. `home` is the bucket in which all is now; objects that were there already do not count."""

    home: str
    versions: int = 0
    objects: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class _Place:
    """Where a version is, where it belongs, and how often something was published there."""

    track_id: str
    home: Bucket
    target: Bucket
    writes: int
    folders: tuple[str, ...]  # where its files lie, in either bucket


async def move_track(track_id: str, report: Report) -> Moved:
    """Bring what was made of every version of a track to where it belongs. Originals are always private.

    First all objects are copied and compared, then the rows point to the copies, then the sources are deleted. Killed
    anywhere, a repeat goes on: before the rows changed it copies anew, after that it deletes what is left. Whatever is
    published meanwhile, and a gate that changes meanwhile, makes it look again. Raises NotFound, Unavailable.
    """
    async with database().reading() as session:
        gated = await session.scalar(select(Track.gated).where(Track.id == track_id))
        versions = list(await session.scalars(select(TrackVersion.id).where(TrackVersion.track_id == track_id)))
    if gated is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    moved = Moved(home_for(gated))
    for number, version_id in enumerate(versions):
        await report(number, len(versions), f"version {number + 1} of {len(versions)}")
        await _move_version(version_id, moved)
    return moved


async def _move_version(version_id: str, moved: Moved) -> None:
    while place := await _find(version_id):
        moved.home = str(place.target)
        if place.home is not place.target:
            copied = await _copy_all(place)
            if not await _point(version_id, place):
                continue  # something was published, or the gate changed, since we looked
            moved.versions += 1
            moved.objects += len(copied)
            moved.size_bytes += sum(copied.values())
        other = Bucket.PUBLIC if place.target is Bucket.PRIVATE else Bucket.PRIVATE
        if await _empty(version_id, place.folders, other, place.target):
            return


async def _find(version_id: str) -> _Place | None:
    wanted = (
        select(Track.id, TrackVersion.home, Track.gated, TrackVersion.writes, Asset.key)
        .join(TrackVersion, TrackVersion.track_id == Track.id)
        .outerjoin(Asset, Asset.id == Track.artwork_asset_id)
        .where(TrackVersion.id == version_id)
    )
    async with database().reading() as session:
        row = (await session.execute(wanted)).first()
    if row is None:
        return None  # it was removed meanwhile
    # A track's picture may be of a version that was removed, or drawn: it goes along with any version.
    pictures = {_folder(artwork_key(owner, "artwork.jpg").path) for owner in (version_id, row[0])}
    shown = {_folder(row[4])} if row[4] else set()
    return _Place(row[0], Bucket(row[1]), home_for(row[2]), row[3], (version_id, *sorted(pictures | shown)))


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


async def _files(folders: Iterable[str], bucket: Bucket) -> AsyncIterator[ObjectInfo]:
    for folder in folders:
        async for info in storage().list(bucket, folder):
            yield info


def _lies_under(folders: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(Asset.key.startswith(f"{folder}/", autoescape=True) for folder in folders))


async def _copy_all(place: _Place) -> dict[ObjectKey, int]:
    """Copy every object of a version, and give the sizes."""
    gate = asyncio.Semaphore(PARALLEL_COPIES)

    async def copy(source: ObjectKey) -> None:
        async with gate:
            await copy_and_compare(source, source.within(place.target))

    sizes = {info.key: info.size async for info in _files(place.folders, place.home)}
    async with together() as group:
        for source in sizes:
            group.create_task(copy(source))
    return sizes


async def copy_and_compare(source: ObjectKey, target: ObjectKey) -> None:
    """Write the source's bytes to the target, and read them back. Raises Unavailable when they are not the same."""
    sent, came = hashlib.sha256(), hashlib.sha256()

    async def passing() -> AsyncIterator[bytes]:
        async for chunk in await storage().open(source):
            sent.update(chunk)
            yield chunk

    await storage().put(target, passing())
    async for chunk in await storage().open(target):
        came.update(chunk)
    if sent.digest() != came.digest():
        raise Unavailable(f"the copy of {source} differs from it")


async def _point(version_id: str, place: _Place) -> bool:
    """Let the rows of a version point to the copies. False when they are no longer what was copied."""
    async with unit_of_work() as unit:
        gated = await unit.connection.scalar(select(Track.gated).where(Track.id == place.track_id).with_for_update())
        as_copied = (
            TrackVersion.id == version_id,
            TrackVersion.home == place.home,
            TrackVersion.writes == place.writes,
        )
        if gated is None or home_for(gated) is not place.target:
            return False
        changed = update(TrackVersion).where(*as_copied).values(home=place.target)
        if not (await unit.connection.execute(changed)).rowcount:
            return False
        await _move_assets(unit, version_id, place)
    return True


async def _move_assets(unit: Unit, version_id: str, place: _Place) -> None:
    """Note the copies, and let what belongs to this version refer to them. What others refer to stays for them."""
    under = (Asset.bucket == place.home, _lies_under(place.folders))
    ours = {"track_version_id": version_id, "version_id": version_id, "track_id": place.track_id}
    own_id = {"tracks": place.track_id, "track_versions": version_id}
    for asset in list(await unit.session.scalars(select(Asset).where(*under))):
        key = ObjectKey(Bucket(asset.bucket), asset.key)
        copy_id = await record_asset(unit, key.within(place.target), asset.size_bytes)
        for column in asset_columns():
            table = column.table
            mine = [table.c[name] == value for name, value in ours.items() if name in table.c]
            if table.name in own_id:
                mine = [table.c.id == own_id[table.name]]
            if mine:
                pointing = update(table).where(column == asset.id, mine[0])
                await unit.connection.execute(pointing.values({column.name: copy_id}))
    await unit.connection.execute(delete(Asset).where(*under, ~asset_is_referenced()))


async def _empty(version_id: str, folders: Sequence[str], bucket: Bucket, target: Bucket) -> bool:
    """Delete what is left of a version in the other bucket. False when it does not belong to the target any more."""
    async with database().reading() as session:
        under = (Asset.bucket == bucket, _lies_under(folders))
        shared = set(await session.scalars(select(Asset.key).where(*under, asset_is_referenced())))
    left = [info.key async for info in _files(folders, bucket) if info.key.path not in shared]
    place = await _find(version_id)
    if place is not None and (place.home, place.target) != (target, target):
        return False
    await asyncio.shield(storage().delete(*left))
    return True


async def _wait_for_the_other(track_id: str) -> None:
    """Let an older run of the same track end first: it may be in the middle of deleting what this one copies."""
    mine = active_run_id()
    if mine is None:
        return
    same = (Run.task == move_audio.__name__, Run.state == State.RUNNING, Run.id < mine)
    async with database().reading() as session:
        older = await session.scalar(select(Run.id).where(*same, Run.args["track_id"].as_string() == track_id))
    if older:
        raise Snooze(f"run {older} moves this track", after=AFTER_THE_OTHER)


async def _is_worked_on(track_id: str) -> bool:
    """Whether a run makes something of the track. If it began before the move, it may leave files in the old home."""
    versions = select(TrackVersion.id).where(TrackVersion.track_id == track_id)
    busy = select(Run.id).where(Run.state == State.RUNNING, Run.args["version_id"].as_string().in_(versions))
    async with database().reading() as session:
        return await session.scalar(busy.limit(1)) is not None


@task(queue=QUEUE, priority=15, limit=2, retry=RETRY, timeout=3600, key="move:{track_id}", unique="debounce")
async def move_audio(track_id: str) -> dict[str, object]:
    """Move a track's audio to where its gate says. A repeat goes on where the last one was stopped, or finds nothing."""
    await _wait_for_the_other(track_id)
    run = current_run()
    moved = await move_track(track_id, run.progress)
    await run.progress(1, 1, f"all is {moved.home}")
    if await _is_worked_on(track_id):
        await schedule_move_audio.using(debounce=LOOK_AGAIN_S)(track_id)
    return asdict(moved)


schedule_move_audio = scheduler(move_audio)
