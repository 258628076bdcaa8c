"""docket's Worker, tuned: it looks again at once when it is full, and sleeps long when there is nothing to do."""

from datetime import timedelta
from typing import Any

from docket import Docket, Execution, Worker
from docket.execution import TaskFunction
from opentelemetry.context import attach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

IDLE = timedelta(seconds=1)
BUSY_FIRST, BUSY_LAST = 0.002, 0.05


class AdaptiveWorker(Worker):
    """A Worker whose check interval follows its load.

    docket sleeps a whole interval whenever every slot is taken, which caps it at slots / interval runs a second. Here a
    full worker looks again after 2 ms, and less often (up to 50 ms) while nothing finishes. With a free slot the
    interval is only how long a read blocks, and a new message ends that at once, so it can be long.
    """

    def __init__(
        self,
        docket: Docket,
        name: str,
        concurrency: int,
        redelivery_timeout: timedelta,
        fallback_task: TaskFunction | None = None,
    ) -> None:
        self._busy = BUSY_FIRST
        self._full_of: frozenset[str] = frozenset()
        super().__init__(
            docket,
            name=name,
            concurrency=concurrency,
            redelivery_timeout=redelivery_timeout,
            reconnection_delay=timedelta(seconds=0.5),
            # Runs for later stay in the ledger, so docket's own scheduler has next to nothing to do.
            scheduling_resolution=timedelta(seconds=2),
            schedule_automatic_tasks=False,
            fallback_task=fallback_task,
        )

    @property
    def minimum_check_interval(self) -> timedelta:  # type: ignore[override]
        """How long to sleep when full, or to block when not."""
        active = self._tasks_by_key
        if len(active) < self.concurrency:
            self._busy = BUSY_FIRST
            return IDLE
        now = frozenset(active)
        self._busy = min(self._busy * 2, BUSY_LAST) if now == self._full_of else BUSY_FIRST
        self._full_of = now
        return timedelta(seconds=self._busy)

    @minimum_check_interval.setter
    def minimum_check_interval(self, _: Any) -> None:
        """Set by the base class; the load decides instead."""

    async def _execute(self, execution: Execution, session: Any) -> None:
        # Within the trace of who asked for the run: docket's own span would begin another, with a link to this one.
        # It is a task of its own, so nothing has to be put back.
        ticket = execution.args[0] if execution.args else None
        trace = ticket.get("trace") if isinstance(ticket, dict) else None
        if isinstance(trace, str):
            attach(TraceContextTextMapPropagator().extract({"traceparent": trace}))
        await super()._execute(execution, session)
