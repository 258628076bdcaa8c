"""A burst of likes on its way to a real PDS: together, by com.atproto.repo.applyWrites, and one by one.

`uv run python -m benchmarks.records [--likes N] [--pairs N] [--write-docs]`
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select, update

from backend._internal.background import background
from backend.db.ids import new_id
from backend.db.models.federation import Account, PdsRecord
from backend.db.session import database, unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.lexicons import Kind, collection_of
from backend.domains.federation.records import want
from backend.domains.federation.writing import schedule_record_write
from backend.settings import SECTIONS, get_settings
from benchmarks.page import when_and_where, write_section
from tests.network.faulty import FaultyPds, faulty_pds
from tests.network.server import NetworkServer

MOMENT = "2026-11-28T09:14:03.250Z"
SOME_CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
ONE_BY_ONE = "one by one"  # a record with an error is never sent along with others


@dataclass
class Way:
    """One way to write them, measured several times."""

    name: str
    seconds: list[float] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)


async def measure(likes: int, pairs: int) -> list[Way]:
    """Both ways in turns, each on new records, through a live worker."""
    together, singly = Way("together"), Way(ONE_BY_ONE)
    with NetworkServer() as network:
        async with _house(network), faulty_pds(network.pds_url) as counting:
            await sign_in("alice.test", network.app_password(network.alice), "203.0.113.9")
            async with unit_of_work() as unit:
                await unit.connection.execute(update(Account).values(pds_url=counting.url))
            for number in range(pairs):
                for way in (together, singly) if number % 2 == 0 else (singly, together):
                    await _burst(way, network.alice.did, likes, counting)
    return [together, singly]


async def _burst(way: Way, did: str, likes: int, counting: FaultyPds) -> None:
    name = new_id()
    async with unit_of_work() as unit:
        ids = []
        for number in range(likes):
            subject = f"{name}-{number}"
            ref = {"uri": f"at://{did}/{collection_of(Kind.TRACK)}/{subject}", "cid": SOME_CID}
            row = await want(unit, did, Kind.LIKE, subject, {"subject": ref, "createdAt": MOMENT})
            assert row is not None
            row.error = ONE_BY_ONE if way.name == ONE_BY_ONE else None
            ids.append(row.id)
    before, start = Counter(counting.calls), time.perf_counter()
    async with unit_of_work():
        for each in ids:
            await schedule_record_write(each, 1)
    unwritten = PdsRecord.written_revision != PdsRecord.wanted_revision
    while True:
        async with database().reading() as session:
            if not await session.scalar(select(func.count()).select_from(PdsRecord).where(unwritten)):
                break
        await asyncio.sleep(0.02)
    way.seconds.append(time.perf_counter() - start)
    way.calls += counting.calls - before


@asynccontextmanager
async def _house(network: NetworkServer) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="benchmark-records-") as directory:
        for name in [name for section in SECTIONS for name in section.model_fields]:
            os.environ.pop(name.upper(), None)
        os.environ |= {
            "DATA_DIR": str(Path(directory)),
            "DOCKET_URL": "memory://records",
            "ATPROTO_PLC_URL": network.plc_url,
            "ATPROTO_HANDLE_URL": network.pds_url,
            "OUTBOUND_PRIVATE": "1",
        }
        get_settings.cache_clear()
        async with background(get_settings(), "worker"):
            yield


def report(ways: list[Way], likes: int) -> str:
    """The figures as Markdown."""
    pairs = len(ways[0].seconds)
    ratio = statistics.median(
        singly / together for together, singly in zip(*(way.seconds for way in ways), strict=True)
    )
    lines = [
        *when_and_where(),
        f"- {likes} likes of one account, pairs: {pairs}; from the commit of the runs to the last written row",
        "",
        "| written | seconds, median | range | calls of the PDS, a burst |",
        "| --- | --- | --- | --- |",
    ]
    for way in ways:
        calls = ", ".join(
            f"{count / pairs:g} {method.rpartition('.')[2]}" for method, count in sorted(way.calls.items())
        )
        spread = f"{min(way.seconds):.2f} to {max(way.seconds):.2f}"
        lines.append(f"| {way.name} | {statistics.median(way.seconds):.2f} | {spread} | {calls} |")
    return "\n".join([*lines, "", f"- together is {ratio:.1f} times as fast, median of the pairs"]) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__)
    parser.add_argument("--likes", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--pairs", type=int, default=5, help="how often each way is gone (default 5)")
    parser.add_argument("--write-docs", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    text = report(asyncio.run(measure(options.likes, options.pairs)), options.likes)
    print(text)
    if options.write_docs:
        write_section("records", text)


if __name__ == "__main__":
    main()
