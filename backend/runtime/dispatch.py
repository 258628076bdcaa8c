"""The way from the ledger to the engine: hand over after the commit, and what happens when the engine is away."""

import logging
import time
from collections.abc import Callable, Sequence

from backend.db.base import now
from backend.db.session import Database
from backend.errors import Unavailable
from backend.runtime.engine.port import Engine
from backend.runtime.events import EventHub
from backend.runtime.ledger.claim import give_back
from backend.runtime.ledger.journal import Change
from backend.runtime.registry import TaskSpec
from backend.runtime.ticket import Ticket
from backend.runtime.view import ClusterView

logger = logging.getLogger(__name__)

RETRY_ENGINE_S = 1.0


class Dispatcher:
    """Hands runs to the engine. One per process that has a runner open."""

    def __init__(
        self, database: Database, engine: Engine, view: ClusterView, hub: EventHub, wake: Callable[[], None], name: str
    ):
        self.engine = engine
        self.view = view
        self.hub = hub
        self.wake = wake
        self.process = name
        self.feeding = True
        self._database = database
        self._down_since = 0.0

    @property
    def holder(self) -> str | None:
        """Who holds a run that is queued: this process where the engine is its own, nobody yet where it is shared."""
        return self.process if self.engine.private else None

    def take_slot(self, spec: TaskSpec) -> bool:
        """Whether a new run of `spec` may be handed over at once."""
        return self.feeding and self.view.take_slot(spec)

    async def hand_over(self, tickets: Sequence[Ticket]) -> None:
        """Hand these over. When the engine is away they wait again; nobody but the log is told."""
        if not tickets:
            return
        try:
            await self.engine.hand_over(tickets)
        except Unavailable as error:
            self.engine_away(error)
            async with self._database.unit() as unit:
                await give_back(unit, [ticket.key for ticket in tickets], now())
            return
        self.engine_answers()

    async def cancel(self, ticket_key: str) -> None:
        """Tell the engine that a run is cancelled. If it is away, the worker sees it in the ledger."""
        try:
            await self.engine.cancel(ticket_key)
        except Unavailable as error:
            self.engine_away(error)

    def engine_away(self, error: Unavailable) -> None:
        """Note that the engine does not answer. Said once, until it is back."""
        if self.view.engine_up:
            logger.error("the engine is away, runs wait in the ledger: %s", error)
        self.view.engine_up = False
        self._down_since = time.monotonic()

    def engine_answers(self) -> None:
        """Note that it did just now."""
        if not self.view.engine_up:
            logger.info("the engine is back")
            self.view.engine_up = True

    @property
    def may_try(self) -> bool:
        """Whether the engine is up, or it is time to try it again."""
        return self.view.engine_up or time.monotonic() - self._down_since >= RETRY_ENGINE_S

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell who watches these runs."""
        self.hub.changed(changes)


_dispatcher: Dispatcher | None = None


def install(dispatcher: Dispatcher | None) -> Dispatcher | None:
    """Make it the process's dispatcher. Returns the one before."""
    global _dispatcher
    previous, _dispatcher = _dispatcher, dispatcher
    return previous


def dispatcher() -> Dispatcher | None:
    """The process's dispatcher. None in a process that only writes to the ledger: others hand over what it enqueues."""
    return _dispatcher


def is_stopping() -> bool:
    """Whether this process was asked to stop. Work that goes on for long then ends by itself, so nobody waits for it."""
    return _dispatcher is not None and not _dispatcher.feeding
