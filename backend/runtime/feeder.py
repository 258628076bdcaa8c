"""The feeder: one loop that writes what workers reported and hands over what is next, in one transaction."""

import asyncio
import logging
from collections import Counter
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.session import Database, Unit
from backend.errors import Unavailable
from backend.runtime.choice import MOST_AT_ONCE, Choice
from backend.runtime.dispatch import Dispatcher
from backend.runtime.ledger import claim
from backend.runtime.ledger.journal import Change, Journal
from backend.runtime.ticker import fire_due
from backend.runtime.ticket import Ticket

logger = logging.getLogger(__name__)

DATABASE_PAUSE_S = 1.0


class Feeder:
    """Turns of the ledger. It is the outbox, the order by priority, the limits, and what pause and resume act on."""

    def __init__(self, database: Database, journal: Journal, poll_s: float) -> None:
        self._database = database
        self._journal = journal
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._next_due: datetime | None = None
        self._more = False

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def run(self, here: Dispatcher) -> None:
        """Turn until cancelled. A database that is away is waited for; nothing that was reported is lost."""
        while True:
            try:
                await self.turn(here)
            except (SQLAlchemyError, OSError, Unavailable) as error:
                reason = str(error).partition("\n")[0][:300]
                logger.error("the ledger cannot be written, trying again: %s: %s", type(error).__name__, reason)
                await asyncio.sleep(DATABASE_PAUSE_S)
                continue
            if not self._more:
                await self._rest()
            self._wake.clear()

    async def turn(self, here: Dispatcher) -> None:
        """Write what was reported, take what is next, and hand it over."""
        page = self._journal.take()
        self._more, self._next_due = False, None
        tickets: list[Ticket] = []
        written = False
        try:
            async with self._database.unit() as unit:
                changes = await page.write(unit)
                if here.feeding and here.may_try and here.view.capacity > 0:
                    tickets, buried = await self._feed(unit, here)
                    changes += buried
            written = True
        finally:
            if not written:
                self._journal.put_back(page)
        self._journal.settle(page)
        here.tell(changes)
        await here.hand_over(tickets)

    async def drain(self, here: Dispatcher) -> None:
        """Write everything that was reported, and hand over nothing."""
        here.feeding = False
        while not self._journal.empty:
            await self.turn(here)

    async def _rest(self) -> None:
        pause = self._poll_s
        if self._next_due is not None:
            pause = min(pause, max((self._next_due - now()).total_seconds(), 0.0))
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _feed(self, unit: Unit, here: Dispatcher) -> tuple[list[Ticket], list[Change]]:
        moment, view = now(), here.view
        await claim.lock(unit)
        seen = await claim.standing(unit, here.holder)
        next_fire, next_run = seen.next_fire, seen.next_run
        if any(due is not None and due <= moment for due in (next_fire, next_run)):
            next_fire = await fire_due(unit, moment)
            next_run = await claim.promote_due(unit, moment)
            seen = await claim.standing(unit, here.holder)
        self._next_due = min((due for due in (next_fire, next_run) if due), default=None)
        view.paused_queues, view.paused_tasks = seen.paused_queues, seen.paused_tasks
        held = seen.in_hand.mine if here.engine.private else seen.in_hand.by_queue
        chosen, buried, backlog = await Choice(unit, view, seen.in_hand, Counter(held), moment).make()
        tickets = await claim.claim(unit, [run.id for run in chosen], here.holder, moment)
        view.counted(held + Counter(run.queue for run in chosen), backlog)
        self._more = len(chosen) == MOST_AT_ONCE
        return tickets, buried
