"""The stage of a chaos test: a ledger, an engine, a crew of processes, and what their tasks left behind."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from backend.db.models.runs import ACTIVE, Run
from backend.db.session import Database
from tests.chaos.effects import Effects
from tests.chaos.invariants import Record, breaches, leftovers, read_ledger
from tests.chaos.process import CrewProcess

LONG = os.environ.get("BACKLINE_CHAOS") == "long"
LOOK_EVERY_S = 0.1
TIDY_WITHIN_S = 15.0


def sized(short: int, long: int) -> int:
    """How many: `short` in every test run, `long` with BACKLINE_CHAOS=long."""
    return long if LONG else short


@dataclass
class Stage:
    """One test's world. `docket_url` is None where there is no Redis to look into."""

    directory: Path
    database: Database
    effects: Effects
    docket_url: str | None
    docket_name: str
    note: Callable[[str, object], None]  # a measured number, for the report
    crew: list[CrewProcess] = field(default_factory=list)

    def hire(self, **environment: str | None) -> CrewProcess:
        """Start a process of the crew, at default settings but for what is given. None leaves a variable out."""
        # What the test says of itself does not hold for the crew.
        wanted = {**os.environ, "WORKERS_ENABLED": None, **environment}
        set_ones = {name: value for name, value in wanted.items() if value is not None}
        process = CrewProcess(self.directory / f"crew-{len(self.crew)}", set_ones)
        self.crew.append(process)
        process.start()
        return process

    def dismiss(self) -> None:
        """Kill whoever is left."""
        for process in self.crew:
            process.kill()

    async def until(self, holds: Callable[[], bool | Awaitable[bool]], patience_s: float, what: str) -> float:
        """Wait until something holds. Returns the seconds that took; fails with everybody's log when it takes too long."""
        began = time.monotonic()
        while True:
            held = holds()
            if held if isinstance(held, bool) else await held:
                return time.monotonic() - began
            if time.monotonic() - began > patience_s:
                raise AssertionError(f"not within {patience_s:g} s: {what}; runs {await self.states()}\n{self.logs()}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def states(self) -> Counter[str]:
        """How many runs are in each state."""
        async with self.database.reading() as session:
            rows = (await session.execute(select(Run.state, func.count()).group_by(Run.state))).all()
        return Counter({state: count for state, count in rows})

    async def all_ended(self) -> bool:
        """Whether no run is active."""
        states = await self.states()
        return not any(states[state] for state in ACTIVE)

    async def settle(self, expected: Collection[str], patience_s: float = sized(120, 1200)) -> list[Record]:
        """Wait until every run has ended, and check the whole ledger and the engine. Returns the ledger."""
        await self.until(self.all_ended, patience_s, "every run has ended")
        records = await read_ledger(self.database)
        wrong = breaches(records, expected)
        assert not wrong, "\n".join([*wrong[:20], self.logs()])
        self._check_work(records)
        if self.docket_url is not None:
            await self.until(self._redis_is_tidy, TIDY_WITHIN_S, "nothing of the runs is left in Redis")
        return records

    async def _redis_is_tidy(self) -> bool:
        assert self.docket_url is not None
        return not await leftovers(self.docket_url, self.docket_name)

    def _check_work(self, records: Sequence[Record]) -> None:
        done = self.effects.by_run("done")
        idle = [record.run.id for record in records if record.run.state == "succeeded" and record.run.id not in done]
        assert not idle, f"{len(idle)} runs succeeded without doing their work"

    def logs(self) -> str:
        """The end of each process's log."""
        return "\n".join(f"--- {process.directory.name}\n{process.log[-4000:]}" for process in self.crew)
