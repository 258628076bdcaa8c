"""Reading the network: what others write of our kinds, and what becomes of accounts, from one stream of events.

The stream only says what to look at. It is looked at by runs of their own, which are enqueued in the same transaction that
moves the cursor: what comes after a crash comes again, and nothing is left out.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.adapters.stream import CursorAhead, Event, Write, open_stream
from backend.db.base import now
from backend.db.models.federation import Account, PdsRecord
from backend.db.models.network import KnownRecord, Reading
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.heeding import schedule_heed_account, schedule_heed_record
from backend.domains.federation.lexicon_formats import FORMATS
from backend.domains.federation.lexicons import Kind, check_record, our_collections
from backend.errors import Conflict, InvalidInput, Snooze
from backend.runtime import Retry, current_run, scheduler, task
from backend.runtime.dispatch import is_stopping
from backend.runtime.schedules import get_schedule
from backend.settings import get_settings

MOST_AT_ONCE = 500
PATIENCE_S = 0.5
SAVED_EVERY = timedelta(seconds=10)  # how often the cursor moves where nothing is for us
PAUSE = timedelta(seconds=1)  # between the end of one run and the start of the next
LONGEST_URI = 480  # it is part of a run's key
LONGEST_DID = 255

logger = logging.getLogger(__name__)


async def read(until: datetime) -> Counter[str]:
    """Listen until this moment. Returns how much came of what.

    Raises Unavailable when the source is away, Conflict when somebody else moved the cursor, and Snooze when this process
    is to stop. What was read until then is kept.
    """
    url = get_settings().federation.ingest_url
    if url is None:
        return Counter()
    reader = Reader(url, await _cursor(url))
    try:
        async with open_stream(url, reader.saved, our_collections()) as stream:
            while now() < until:
                await reader.keep(await stream.take(MOST_AT_ONCE, PATIENCE_S))
                if is_stopping():
                    raise Snooze("this process stops, another one reads on", after=timedelta(0))
    except CursorAhead:
        await _start_over(url)
        raise
    await reader.save([])
    return reader.counts


class Reader:
    """How far one listener has come, and what is saved of that."""

    def __init__(self, url: str, saved: int) -> None:
        self.url = url
        self.saved = self.cursor = saved
        self.counts = Counter[str]()
        self._saved_at = now()
        self._event_at: datetime | None = None

    async def keep(self, events: Sequence[Event]) -> None:
        """Note how far these events lead. What came of them is kept at once; where nothing did, the cursor can wait."""
        for event in events:
            self.cursor = max(self.cursor, event.cursor)
            self._event_at = event.at or self._event_at
        self.counts["events"] += len(events)
        if any(event.writes or event.about or event.missed for event in events) or now() - self._saved_at > SAVED_EVERY:
            await self.save(events)

    async def save(self, events: Sequence[Event]) -> None:
        """Keep what came of these events, and with it how far we are. Raises Conflict when that is not ours to say."""
        values: dict[str, object] = {"cursor": self.cursor, "read_at": now()}
        if self._event_at is not None:
            values["event_at"] = self._event_at
        if self.saved and any(event.missed for event in events):  # at the very start nothing was ever known
            logger.error("%s no longer has all that followed our cursor", self.url)
            values["missed_at"] = now()
        counts = Counter[str]()
        ours = update(Reading).where(Reading.url == self.url, Reading.cursor == self.saved)
        async with unit_of_work() as unit:
            if not (await unit.connection.execute(ours.values(**values))).rowcount:
                raise Conflict("another one reads the same stream")
            await _note_writes(unit, [write for event in events for write in event.writes], counts)
            await _note_accounts(
                unit, {event.about for event in events if event.about and FORMATS["did"](event.about)}, counts
            )
        self.saved, self._saved_at = self.cursor, now()
        self.counts += counts
        until = f"until {self._event_at:%Y-%m-%d %H:%M:%S}" if self._event_at else "nothing yet"
        await current_run().progress(0, 0, until, self.counts)


async def _cursor(url: str) -> int:
    async with unit_of_work() as unit:
        make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
        await unit.connection.execute(make(Reading).values(url=url, cursor=0, read_at=now()).on_conflict_do_nothing())
        return (await unit.session.get_one(Reading, url)).cursor


async def _start_over(url: str) -> None:
    logger.error("%s has not come as far as our cursor: all that it has is read again", url)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Reading).where(Reading.url == url).values(cursor=0, missed_at=now()))


async def _note_writes(unit: Unit, writes: Sequence[Write], counts: Counter[str]) -> None:
    sound = [write for write in writes if _is_sound(write)]
    counts["invalid"] += len(writes) - len(sound)
    ours = await _ours(unit, [write.uri for write in sound])
    for write in sound:
        row = ours.get(write.uri)
        if row is None:
            counts[await _note_foreign(unit, write)] += 1
        elif row.written_revision != row.wanted_revision or row.cid == write.cid:
            counts["echoes"] += 1  # a run of ours is at it, or has been
        else:
            await schedule_heed_record(write.uri)
            counts["changed"] += 1


def _is_sound(write: Write) -> bool:
    if len(write.uri) > LONGEST_URI or len(write.did) > LONGEST_DID or not FORMATS["at-uri"](write.uri):
        return False
    return write.cid is None or FORMATS["cid"](write.cid)


async def _ours(unit: Unit, uris: Sequence[str]) -> dict[str, PdsRecord]:
    """Those of these addresses at which records stand that are written from here."""
    if not uris:
        return {}
    parts = [uri.removeprefix("at://").split("/") for uri in uris]
    dids, rkeys = {part[0] for part in parts}, {part[-1] for part in parts}
    found = await unit.session.scalars(select(PdsRecord).where(PdsRecord.did.in_(dids), PdsRecord.rkey.in_(rkeys)))
    return {f"at://{row.did}/{row.collection}/{row.rkey}": row for row in found}


async def _note_foreign(unit: Unit, write: Write) -> str:
    if write.cid is None:
        await unit.connection.execute(delete(KnownRecord).where(KnownRecord.uri == write.uri))
        return "deleted"
    kind = our_collections()[write.collection]
    if write.record is None:
        await schedule_heed_record(write.uri)  # it was too large to come along
        return "taken up"
    try:
        check_record(kind, write.record)
    except InvalidInput as error:
        logger.warning("%s is no valid record: %s", write.uri, error.detail)
        return "invalid"
    await _remember(unit, write)
    if kind in (Kind.LIKE, Kind.COMMENT) and await _ours(unit, [write.record["subject"]["uri"]]):
        await schedule_heed_record(write.uri)
        return "taken up"
    return "known"


async def _remember(unit: Unit, write: Write) -> None:
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    values = {"cid": write.cid, "record": write.record, "seen_at": now()}
    new = make(KnownRecord).values(uri=write.uri, did=write.did, collection=write.collection, **values)
    await unit.connection.execute(new.on_conflict_do_update(index_elements=["uri"], set_=values))


async def _note_accounts(unit: Unit, dids: set[str], counts: Counter[str]) -> None:
    """Look at those accounts of which something is here. A stream tells of every account in the network."""
    known: set[str] = set()
    if not dids:
        return
    for column in (Account.did, PdsRecord.did, KnownRecord.did):
        known |= set(await unit.session.scalars(select(column).where(column.in_(dids))))
    for did in sorted(known):
        await schedule_heed_account(did)
    counts["accounts"] += len(known)


@task(queue="upkeep", cron="* * * * *", retry=Retry(attempts=100, base=1, factor=2, cap=30))
async def read_network() -> dict[str, int]:
    """Listen to `INGEST_URL` until the next run does. A repeat goes on where the cursor is, which one of two can move."""
    following = (await get_schedule("read_network")).next_at
    return dict(await read(following - PAUSE)) if following else {}


schedule_read_network = scheduler(read_network)


async def how_far(url: str) -> Reading | None:
    """How far a stream was read, if it ever was."""
    async with database().reading() as session:
        return await session.get(Reading, url)
