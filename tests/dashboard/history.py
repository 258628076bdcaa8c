"""An hour that was, for pictures: runs that ended at some time within it, written straight into the ledger.

`python -m tests.dashboard.history`, with the settings of the server that shows it.
"""

import asyncio
import math
import random
from datetime import timedelta

from sqlalchemy import insert

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import Attempt, Run
from backend.db.session import open_database, unit_of_work
from backend.settings import get_settings

TASKS = (
    ("transcode_version", "media"),
    ("ingest_upload", "media"),
    ("write_record", "federation"),
    ("draw_waveform", "media"),
)
TROUBLE = (
    ("Unavailable", "the server of this account does not answer", "0b5e0d1f5a7c9e11"),
    ("TimedOut", "transcode_version took longer than 900 s", "5c2d9a01b7e4f310"),
)


async def main() -> None:
    """The last sixty minutes, busier in the middle."""
    dice, moment = random.Random(7), now()
    runs, attempts = [], []
    for minute in range(59, 0, -1):
        for _ in range(int(14 + 11 * math.sin(minute / 8) + dice.random() * 6)):
            began = moment - timedelta(minutes=minute, seconds=dice.random() * 50)
            ended = began + timedelta(seconds=0.3 + 6 * dice.random())
            task, queue = dice.choice(TASKS)
            failed = dice.random() < (0.3 if 20 < minute < 26 else 0.02)
            error, text, group = dice.choice(TROUBLE) if failed else (None, None, None)
            run = {
                "id": new_id(),
                "task": task,
                "queue": queue,
                "state": "dead" if failed else "succeeded",
                "key": f"track:{dice.randrange(10**6)}",
                "args": {"version_id": f"v{dice.randrange(10**6)}"},
                "attempt": 1,
                "starts": 1,
                "handover": 1,
                "worker": "studio-1#41",
                "error_type": error,
                "error": text,
                "error_group": group,
                "created_at": began - timedelta(seconds=1),
                "started_at": began,
                "finished_at": ended,
                "updated_at": ended,
            }
            runs.append(run)
            outcome = "failed" if failed else "succeeded"
            attempts.append(
                {
                    "run_id": run["id"],
                    "number": 1,
                    "worker": "studio-1#41",
                    "started_at": began,
                    "ended_at": ended,
                    "outcome": outcome,
                    "error_type": error,
                    "error": text,
                }
            )
    async with open_database(get_settings().database), unit_of_work() as unit:
        await unit.connection.execute(insert(Run), runs)
        await unit.connection.execute(insert(Attempt), attempts)


if __name__ == "__main__":
    asyncio.run(main())
