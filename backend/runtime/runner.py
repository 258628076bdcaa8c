"""The runner of a process: engine, executor, feeder and their loops, opened together and stopped in order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.session import Database, database
from backend.errors import Unavailable
from backend.runtime import tally
from backend.runtime.adopt import adopt_call, adopt_message, bury_unreadable, declare_plain
from backend.runtime.dispatch import Dispatcher, install
from backend.runtime.engine.docket import DocketEngine
from backend.runtime.engine.inline import InlineEngine
from backend.runtime.engine.safe_docket import SafeDocket
from backend.runtime.events import EventHub
from backend.runtime.execute import Executor, Halt
from backend.runtime.feeder import Feeder
from backend.runtime.hiding import hide_values_of
from backend.runtime.ledger.claim import give_back
from backend.runtime.ledger.journal import Journal
from backend.runtime.ledger.repair import postpone, revive
from backend.runtime.logs import capture_logs, log_event
from backend.runtime.mender import Mender
from backend.runtime.processes import Heartbeat, ProcessCard, worker_config
from backend.runtime.supervise import Supervised
from backend.runtime.ticker import note_declared
from backend.runtime.ticket import Ticket
from backend.runtime.view import ClusterView
from backend.runtime.watchdog import LoopWatchdog
from backend.settings import Settings

logger = logging.getLogger(__name__)

CANARY_MISSES = 3
HALT_PATIENCE_S = 5.0
FAREWELL_S = 5.0
POSTPONED = timedelta(seconds=2)


class Runner:
    """Everything that makes this process a part of the crew. Open it with `open_runner`."""

    def __init__(self, settings: Settings, kind: str, db: Database) -> None:
        runner, docket = settings.runner, settings.docket
        capacity = docket.docket_worker_concurrency if runner.workers_enabled else 0
        self.settings = settings
        self.database = db
        self.view = ClusterView.from_settings(runner.runner_queue_concurrency, runner.runner_queue_rate)
        self.card = ProcessCard(kind, _engine_name(docket.url), capacity)
        self.hub = EventHub(self.card.name)
        self.journal = Journal(self._wake, self._fenced)
        self.feeder = Feeder(db, self.journal, runner.runner_poll_s)
        self.executor = Executor(
            self.card.name,
            self.journal,
            self._revive,
            self._postpone,
            self.hub.progressed,
            runner.runner_log_lines,
            runner.runner_crash_limit,
        )
        self.docket: SafeDocket | None = None
        self.engine = self._make_engine(settings)
        self.hub.connect(self.engine)
        self.here = Dispatcher(db, self.engine, self.view, self.hub, self._wake, self.card.name)
        self.heartbeat = Heartbeat(db, self.card, self.view, runner.runner_heartbeat_s)
        self.mender = Mender(self.here, db, self.heartbeat, self.executor, runner)
        self.watchdog = LoopWatchdog(runner.runner_loop_block_s)
        self.engine_loop = Supervised("worker", self.engine.run)
        self.loops = [
            Supervised("feeder", lambda: self.feeder.run(self.here)),
            Supervised("heartbeat", lambda: self.heartbeat.run(self._cancelled, self._note_vitals)),
        ]
        if capacity:
            self.loops += [
                Supervised("mender", self.mender.run),
                Supervised("canary", self._send_canaries),
                self.engine_loop,
            ]

    def _make_engine(self, settings: Settings) -> DocketEngine | InlineEngine:
        docket = settings.docket
        if docket.url is None:
            return InlineEngine(self.executor, self._canary_seen)
        capacity = docket.docket_worker_concurrency
        self.docket = SafeDocket(docket.docket_name, docket.url, capacity, declare_plain, adopt_call, bury_unreadable)
        redelivery = timedelta(seconds=settings.runner.runner_redelivery_s)
        return DocketEngine(self.docket, self.executor, capacity, redelivery, self._canary_seen, adopt_message)

    async def start(self) -> None:
        """Say that this process is there, mend what its predecessor left, and start the loops."""
        capture_logs()
        hide_values_of(self.settings.sections)
        await note_declared(self.database)
        await self.heartbeat.beat()
        if self.card.capacity:
            await self.mender.mend_predecessor()
        self.watchdog.start()
        for loop in self.loops:
            loop.start()
        log_event(
            logger, "worker.config", component="bootstrap", status="ok", **worker_config(self.card, self.settings)
        )

    async def stop(self) -> None:
        """Take nothing new, let what runs finish within the grace, hand back the rest, write everything down."""
        self.here.feeding = False
        await self.engine.quiet()
        await self._wait_idle(self.settings.runner.runner_shutdown_grace_s)
        self.executor.stopping = True
        for run_id in list(self.executor.running):
            self.executor.halt(run_id, Halt.SHUTDOWN)
        await self._wait_idle(HALT_PATIENCE_S)
        for loop in reversed(self.loops):
            await loop.stop()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self.feeder.drain(self.here)
                await self._hand_back()
                await self.heartbeat.leave()
        except (SQLAlchemyError, OSError, Unavailable) as error:
            logger.error("the ledger is away, so others must find what this process leaves: %s", type(error).__name__)
        await self.hub.close()
        self.watchdog.stop()

    async def _hand_back(self) -> None:
        # Others would get these only when their lease has run out, and would take this process for dead.
        if taken := await self.engine.taken():
            async with self.database.unit() as unit:
                await give_back(unit, sorted(taken), now())

    async def _wait_idle(self, patience_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience_s
        while running := [attempt.task for attempt in self.executor.running.values()]:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.wait(running, timeout=left)

    def _wake(self) -> None:
        self.feeder.wake()

    def _fenced(self, start: object) -> None:
        self.executor.fenced(start)  # type: ignore[arg-type]

    async def _revive(self, ticket: Ticket) -> Ticket | None:
        runner, moment = self.settings.runner, now()
        # A lease is renewed every quarter of its time, so a worker whose lease ran out by its death is silent longer.
        silence = timedelta(seconds=min(2.5 * runner.runner_heartbeat_s, 0.6 * runner.runner_redelivery_s))
        async with self.database.unit() as unit:
            again, changes = await revive(unit, ticket, moment, runner.runner_crash_limit, moment - silence)
        tally.LOST.inc(len(changes))
        self.here.tell(changes)
        return again

    async def _postpone(self, ticket: Ticket) -> None:
        async with self.database.unit() as unit:
            changes = await postpone(unit, ticket, now(), POSTPONED)
        self.here.tell(changes)

    def _cancelled(self, run_id: str) -> None:
        self.executor.halt(run_id, Halt.CANCEL)

    async def _canary_seen(self, sender: str) -> None:
        if sender == self.card.name:
            self.card.canary_at = now()
        else:
            await self.heartbeat.pass_on_canary(sender)

    def _note_vitals(self) -> None:
        self.card.running = len(self.executor.running)
        self.card.loop_lag_ms = self.watchdog.take_lag()
        self.card.restarts = sum(loop.restarts for loop in self.loops)
        self.card.last_error = next((loop.last_error for loop in self.loops if loop.last_error), None)

    async def _send_canaries(self) -> None:
        interval = self.settings.runner.runner_canary_s
        patience = timedelta(seconds=CANARY_MISSES * interval)
        self.card.canary_at = restarted = now()
        while True:
            try:
                await self.engine.canary(self.card.name)
                self.here.engine_answers()
            except Unavailable as error:
                self.here.engine_away(error)
            woken = now() + timedelta(seconds=interval)
            await asyncio.sleep(interval)
            # When the event loop itself was blocked, the canary had no chance.
            on_time = now() - woken < timedelta(seconds=max(interval, 1.0))
            if on_time and self.view.engine_up and now() - max(self.card.canary_at, restarted) > patience:
                restarted = now()
                self.engine_loop.restart(f"no canary came back for {patience.total_seconds():g} s")


def _engine_name(url: str | None) -> str:
    if url is None:
        return "inline"
    return "memory" if url.startswith("memory://") else "docket"


_runner: Runner | None = None


def current_runner() -> Runner | None:
    """The runner of this process, if one is open."""
    return _runner


def require_docket() -> SafeDocket:
    """The docket of this process. Raises Unavailable when there is none."""
    if _runner is None or _runner.docket is None:
        raise Unavailable("docket is off: set DOCKET_URL, and open the background first", field="DOCKET_URL")
    return _runner.docket


@asynccontextmanager
async def open_runner(settings: Settings, kind: str) -> AsyncIterator[Runner]:
    """Make this process a part of the crew until the block ends. Needs an open database; tasks must be declared.

    `kind` is `api` or `worker`. With WORKERS_ENABLED=0 it enqueues and executes nothing.
    """
    global _runner
    runner = Runner(settings, kind, database())
    async with AsyncExitStack() as stack:
        if runner.docket is not None:
            await stack.enter_async_context(runner.docket)
        previous, outer = install(runner.here), _runner
        _runner = runner
        try:
            await runner.start()
            yield runner
        finally:
            await runner.stop()
            install(previous)
            _runner = outer
