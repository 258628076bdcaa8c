"""The execution of one hand-over, from its start to what the ledger is told of its end."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from backend.db.base import now
from backend.db.models.runs import Outcome, State
from backend.errors import InvalidArguments, Steer, TimedOut, UnknownTask
from backend.runtime import tally
from backend.runtime.after import follow
from backend.runtime.apart import apart
from backend.runtime.context import Progress, RunContext, enter_run
from backend.runtime.fault import Fault
from backend.runtime.ledger.entries import Ended, Progressed, Started
from backend.runtime.ledger.journal import Journal
from backend.runtime.logs import AttemptLog, current_log
from backend.runtime.registry import TaskSpec, registry
from backend.runtime.retry import decide
from backend.runtime.storable import json_text, storable
from backend.runtime.ticket import Ticket

logger = logging.getLogger(__name__)
tracer = trace.get_tracer("backline")

HALT_AGAIN_S = 10.0
RESULT_LIMIT = 256 * 1024
SUBJECT_LIMIT = 480  # and the mark of the cut: the column takes 500
UNKNOWN_TASK_PAUSE = timedelta(seconds=1)


class Halt(StrEnum):
    """Why a running attempt was stopped from outside."""

    CANCEL = "cancel"  # somebody cancelled the run
    SHUTDOWN = "shutdown"  # the process stops
    FENCED = "fenced"  # the ledger says that this hand-over is outdated


@dataclass
class Running:
    """An attempt that is being executed here."""

    ticket: Ticket
    number: int
    task: asyncio.Task[Any]
    context: RunContext
    log: AttemptLog
    halt: Halt | None = None
    halted_at: float = 0.0
    spent_s: float = 0.0  # how long the work took, once it has ended


class Executor:
    """Executes hand-overs in this process. One per process, whatever the engine."""

    def __init__(
        self,
        worker: str,
        journal: Journal,
        revive: Callable[[Ticket], Awaitable[Ticket | None]],
        postpone: Callable[[Ticket], Awaitable[None]],
        on_progress: Callable[[str, Progress], None],
        log_lines: int,
        crash_limit: int,
    ) -> None:
        self.worker = worker
        self.running: dict[str, Running] = {}
        self._ending: set[str] = set()
        self.stopping = False
        self._journal = journal
        self._revive = revive
        self._postpone = postpone
        self._on_progress = on_progress
        self._log_lines = log_lines
        self._crash_limit = crash_limit

    async def execute(self, ticket: Ticket, redelivered: bool = False) -> None:
        """Execute one hand-over. Never raises on the work's account; the ledger gets the outcome."""
        older = self.running.get(ticket.run_id)
        if older is not None:
            if older.ticket.handover >= ticket.handover:
                return  # it is under way here, and not lost
            self.halt(ticket.run_id, Halt.FENCED)
        elif redelivered:
            # Its first worker died, or is still at it elsewhere: only the ledger knows.
            revived = await self._revive(ticket)
            if revived is None:
                return
            ticket = revived
        if self._on_last_chance(ticket) and any(self._on_last_chance(other.ticket) for other in self.running.values()):
            await self._postpone(ticket)
            return
        running, began = self._begin(ticket), time.monotonic()
        try:
            end = await self._attempt(running)
        finally:
            running.spent_s = time.monotonic() - began
            self._leave(running)
        self._ending.add(ticket.run_id)
        try:
            reached = await self._journal.record(end)
        finally:
            self._ending.discard(ticket.run_id)
        if reached is not None:  # what the ledger refused has ended elsewhere, and is counted there
            tally.ended(ticket.task, end.outcome, reached, running.spent_s)

    def has(self, run_id: str) -> bool:
        """Whether it is under way here, or has ended here and the ledger does not know it yet."""
        return run_id in self.running or run_id in self._ending

    def halt(self, run_id: str, why: Halt) -> bool:
        """Stop an attempt that runs here. Returns whether there was one.

        Its clean-up is left alone: one that does not end is stopped again only after a while.
        """
        running, moment = self.running.get(run_id), time.monotonic()
        if running is None:
            return False
        running.halt = running.halt or why
        if running.task.cancelling() and not running.halted_at:
            running.halted_at = moment  # the engine was first
        if not running.halted_at or moment - running.halted_at > HALT_AGAIN_S:
            running.halted_at = moment
            running.task.cancel()
        return True

    def fenced(self, start: Started) -> None:
        """The ledger refused this start: what runs here is outdated."""
        running = self.running.get(start.run_id)
        if running is not None and (running.ticket.handover, running.number) == (start.handover, start.number):
            logger.warning("run %s: hand-over %d is outdated, stopping it here", start.run_id, start.handover)
            self.halt(start.run_id, Halt.FENCED)

    def _on_last_chance(self, ticket: Ticket) -> bool:
        """Whether one more death of its worker ends this run.

        One such run is executed at a time, and its start is written before it begins. So of several that were hit by
        the same deaths, only the one that causes them is buried.
        """
        return 0 < ticket.crashes >= self._crash_limit - 1

    def _begin(self, ticket: Ticket) -> Running:
        number, attempt = ticket.starts + 1, ticket.attempt + 1
        context = RunContext(ticket.run_id, ticket.task, attempt, self._reporter(ticket.run_id, number))
        task = asyncio.current_task()
        assert task is not None
        running = Running(ticket, number, task, context, AttemptLog(self._log_lines))
        self.running[ticket.run_id] = running
        self._journal.note(Started(ticket.run_id, ticket.handover, number, attempt, self.worker, now()))
        tally.began(ticket)
        enter_run(context)
        current_log.set(running.log)
        return running

    def _leave(self, running: Running) -> None:
        current_log.set(None)
        if self.running.get(running.ticket.run_id) is running:
            del self.running[running.ticket.run_id]

    def _reporter(self, run_id: str, number: int) -> Callable[[Progress, bool], None]:
        def report(progress: Progress, keep: bool) -> None:
            self._on_progress(run_id, progress)
            if keep:
                self._journal.note(Progressed(run_id, number, progress.to_json()))

        return report

    async def _attempt(self, running: Running) -> Ended:
        """Do the work and say what it came to."""
        ticket = running.ticket
        if self.stopping:
            return self._ended(running, State.WAITING, Outcome.INTERRUPTED, ticket.attempt)
        spec = registry.get(ticket.task)
        if spec is None:
            # Another version of the code may know it. The feeder ends the run if no process does.
            fault = Fault.of(UnknownTask(f"{self.worker} does not declare {ticket.task!r}"))
            return self._failed(running, State.SCHEDULED, Outcome.SNOOZED, ticket.attempt, fault, UNKNOWN_TASK_PAUSE)
        attributes = {
            "backline.run": ticket.run_id,
            "backline.queue": spec.queue,
            "backline.attempt": ticket.attempt + 1,
        }
        with tracer.start_as_current_span(spec.name, _cause(ticket), attributes=attributes) as span:
            try:
                if self._on_last_chance(ticket):
                    await self._journal.written()
                return self._succeeded(running, await self._work(spec, ticket))
            except (Exception, SystemExit, asyncio.CancelledError) as error:
                # The boundary of a run: whatever the work raises is its outcome.
                if running.halt is not None or running.task.cancelling():
                    return self._halted(running)
                fault = Fault.of(error)
                # OpenTelemetry's own `record_exception` fails on an exception whose __str__ does.
                span.add_event("exception", fault.attributes())
                span.set_status(Status(StatusCode.ERROR, fault.type))
                return self._raised(running, spec, error, fault)

    async def _work(self, spec: TaskSpec, ticket: Ticket) -> object:
        limit = spec.timeout.total_seconds() if spec.timeout else None
        arguments = spec.arguments.load(ticket.args)
        try:
            async with asyncio.timeout(limit) as clock:
                result = await apart(spec.function, **arguments)
        except TimeoutError as error:
            if clock.expired():
                raise TimedOut(f"{spec.name} took longer than {limit:g} s") from error
            raise
        stored = _storable(result)
        await follow(spec.name, ticket.args, stored)
        return stored

    def _succeeded(self, running: Running, result: object) -> Ended:
        return replace(self._ended(running, State.SUCCEEDED, Outcome.SUCCEEDED, running.context.attempt), result=result)

    def _halted(self, running: Running) -> Ended:
        # The cancellation is answered here; the task it was sent to goes on to report.
        while running.task.cancelling():
            running.task.uncancel()
        # Not an attempt of its own. The ledger makes it `cancelled` if somebody cancelled the run.
        return self._ended(running, State.WAITING, Outcome.INTERRUPTED, running.ticket.attempt)

    def _raised(self, running: Running, spec: TaskSpec, error: BaseException, fault: Fault) -> Ended:
        attempt = running.context.attempt
        decision = decide(error, attempt, spec.retry)
        outcome = Outcome.TIMED_OUT if isinstance(error, TimedOut) else Outcome.FAILED
        match decision.steer:
            case Steer.RETRY:
                logger.warning("run failed, trying again in %.1f s: %s", decision.after.total_seconds(), fault.message)
                return self._failed(running, State.SCHEDULED, outcome, attempt, fault, decision.after)
            case Steer.SNOOZE:
                return self._failed(running, State.SCHEDULED, Outcome.SNOOZED, attempt - 1, fault, decision.after)
            case Steer.PARK:
                end = self._failed(running, State.WAITING, Outcome.PARKED, attempt - 1, fault, timedelta(0))
                return replace(end, parked_on=storable(decision.subject or "", SUBJECT_LIMIT))
            case Steer.DIE:
                logger.error("run is dead after attempt %d: %s: %s", attempt, fault.type, fault.message)
                return replace(self._failed(running, State.DEAD, outcome, attempt, fault, timedelta(0)), due_at=None)

    def _failed(
        self, running: Running, state: State, outcome: Outcome, attempt: int, fault: Fault, after: timedelta
    ) -> Ended:
        return replace(
            self._ended(running, state, outcome, attempt),
            due_at=now() + after,
            error_type=fault.type,
            error=fault.message,
            error_group=fault.group,
            traceback=fault.traceback,
        )

    def _ended(self, running: Running, state: State, outcome: Outcome, attempt: int) -> Ended:
        latest = running.context.latest
        return Ended(
            running.ticket.run_id,
            running.ticket.handover,
            running.number,
            now(),
            state,
            outcome,
            attempt,
            progress=latest.to_json() if latest else None,
            logs=running.log.lines() or None,
        )


def _cause(ticket: Ticket) -> Context | None:
    # The request that asked for the run is the parent, so that both are one trace.
    return TraceContextTextMapPropagator().extract({"traceparent": ticket.trace}) if ticket.trace else None


def _storable(result: object) -> object:
    """A result as plain JSON. Raises InvalidArguments, a permanent error, when it is not."""
    if result is None:
        return None
    try:
        return json.loads(json_text(result, RESULT_LIMIT))
    except ValueError as error:
        raise InvalidArguments(f"the task's result cannot be stored: {error}", field="result") from None
