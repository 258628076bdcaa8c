"""The mender: finds runs that the ledger holds for handed over and that nobody has, and sets them right."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.models.runs import State
from backend.db.session import Database
from backend.errors import Unavailable
from backend.runtime import tally
from backend.runtime.dispatch import Dispatcher
from backend.runtime.execute import Executor
from backend.runtime.ledger.repair import Held, held_since, lose, wait_again
from backend.runtime.processes import Heartbeat
from backend.settings.runtime import RunnerSettings

logger = logging.getLogger(__name__)

# Younger hand-overs may still be on their way.
GRACE = timedelta(seconds=2)


class Mender:
    """Compares the ledger with the engine and with the processes that live, every few seconds while runs are out."""

    def __init__(
        self, here: Dispatcher, database: Database, heartbeat: Heartbeat, executor: Executor, settings: RunnerSettings
    ) -> None:
        self._here = here
        self._database = database
        self._heartbeat = heartbeat
        self._executor = executor
        self._pause_s = settings.runner_repair_s
        self._limit = settings.runner_crash_limit

    async def run(self) -> None:
        """Mend until cancelled."""
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                await self.mend(now() - GRACE)
            except (SQLAlchemyError, OSError, Unavailable) as error:
                logger.error("cannot compare the ledger with the engine: %s", type(error).__name__)

    async def mend_predecessor(self) -> None:
        """At start: what a private engine held is gone with its process, so nothing needs a grace."""
        if self._here.engine.private:
            await self.mend(now())

    async def mend(self, before: datetime) -> int:
        """Look at what was handed over before this moment. Returns how many runs were set right."""
        async with self._database.reading() as session:
            held = await held_since(await session.connection(), before)
        suspects = [run for run in held if self._suspect(run)]
        if not suspects:
            return 0
        try:
            gone = await self._here.engine.missing([run.ticket_key for run in suspects])
        except Unavailable as error:
            self._here.engine_away(error)
            return 0
        self._here.engine_answers()
        queued = [run for run in suspects if run.state == State.QUEUED and run.ticket_key in gone]
        lost = [run for run in suspects if run.state == State.RUNNING and run.ticket_key in gone]
        return await self._set_right(queued, lost)

    def _suspect(self, run: Held) -> bool:
        if self._executor.has(run.id):
            return False
        if run.state == State.QUEUED:
            # A shared engine holds it for whoever comes; a private one only while its process lives.
            return not self._here.engine.private or run.worker not in self._heartbeat.live - {self._here.process}
        return run.worker == self._here.process or run.worker not in self._heartbeat.live

    async def _set_right(self, queued: Sequence[Held], lost: Sequence[Held]) -> int:
        then = State.INTERRUPTED if self._here.engine.name == "inline" else State.WAITING
        async with self._database.unit() as unit:
            changes = await wait_again(unit, queued, now())
            crashed = await lose(unit, lost, now(), self._limit, then)
        tally.LOST.inc(len(crashed))
        changes += crashed
        if changes:
            logger.warning(
                "set right %d runs that nobody had: %d queued, %d running", len(changes), len(queued), len(lost)
            )
            self._here.tell(changes)
            self._here.wake()
        return len(changes)
