"""Work for a running server, put into its ledger from outside: `python -m tests.dashboard.seed WHAT [COUNT]`.

Prints the id of each run.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from backend.db.session import open_database
from backend.runtime import Receipt
from backend.settings import get_settings
from tests.dashboard import room

Make = Callable[[int], Awaitable[Receipt]]
WHAT: dict[str, Make] = {
    "broken": lambda number: room.schedule_check_release(f"r{number}", "mp9", api_key="hush-hush"),
    "dying": lambda number: room.schedule_tag_item(-1 - number),
    "good": lambda number: room.schedule_tag_item(number),
    "index": lambda _: room.schedule_index_library(12, 0.25),
    "slow": lambda number: room.schedule_index_library(400 + number, 0.25),
}


async def main(what: str, count: int) -> None:
    """Enqueue so many."""
    async with open_database(get_settings().database):
        for number in range(count):
            print((await WHAT[what](number)).id)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1))
