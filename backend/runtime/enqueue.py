"""Enqueue: a checked call becomes a row of the ledger, and is handed over after the commit."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, ParamSpec

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.runs import State
from backend.db.session import Unit, unit_of_work
from backend.errors import Conflict, InvalidArguments
from backend.runtime.cancel import cancel_in
from backend.runtime.context import active_run_id, requester
from backend.runtime.dispatch import dispatcher
from backend.runtime.ledger.insert import NewRun, active_run, insert_runs, push_back, queue_up, release_slot
from backend.runtime.registry import PRIORITY_LIMIT, TaskFunction, TaskSpec, Unique, spec_of
from backend.runtime.retry import YEAR_S
from backend.runtime.storable import storable
from backend.runtime.ticket import Ticket
from backend.settings import get_settings

tracer = trace.get_tracer("backline")

P = ParamSpec("P")

DEBOUNCE_S = 5.0
TEXT_LIMIT = 500
BATCH = 1000
SLOT_TRIES = 5


@dataclass(frozen=True)
class Receipt:
    """What an enqueue gives back. `created` is False when an active run with the same key stands for it."""

    id: str
    state: str
    created: bool = True


@dataclass(frozen=True)
class Options:
    """What one call says beyond its arguments. `after` and `debounce` are seconds."""

    after: float | None = None
    at: datetime | None = None
    priority: int | None = None
    key: str | None = None
    debounce: float | None = None
    requested_by: str | None = None

    def check(self, key: str | None, requested_by: str | None) -> None:
        """Raise InvalidArguments, naming the option that cannot be. `key` and `requested_by` are those of the run."""
        for name, text in (("key", key), ("requested_by", requested_by)):
            if text is not None and (storable(text, TEXT_LIMIT) != text or not 0 < len(text.encode()) <= TEXT_LIMIT):
                raise InvalidArguments(f"`{name}` is text of 1 to {TEXT_LIMIT} bytes", field=name)
        for name, wait in (("after", self.after), ("debounce", self.debounce)):
            if wait is not None and not 0 <= wait <= YEAR_S:
                raise InvalidArguments(f"`{name}` is between 0 seconds and 366 days", field=name)
        if self.priority is not None and not -PRIORITY_LIMIT <= self.priority <= PRIORITY_LIMIT:
            raise InvalidArguments(
                f"`priority` is between -{PRIORITY_LIMIT:,} and {PRIORITY_LIMIT:,}", field="priority"
            )
        if self.at is not None and self.at.tzinfo is None:
            raise InvalidArguments("`at` needs a time zone", field="at")

    @property
    def due(self) -> datetime | None:
        """When the run may start, or None for at once."""
        due = self.at or (now() + timedelta(seconds=self.after) if self.after else None)
        return due if due is not None and due > now() else None


@dataclass(frozen=True)
class Scheduler(Generic[P]):
    """What `scheduler(task)` gives: call it with the task's arguments to enqueue a run.

    With `traced`, what is scheduled in words, each call is a span that the run goes on with.
    """

    spec_name: str
    function: TaskFunction
    options: Options = Options()
    traced: str | None = None

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Enqueue a run. Inside a unit of work it commits with it. Raises InvalidArguments."""
        if self.traced is None:
            return await enqueue_call(self.function, args, kwargs, self.options)
        with tracer.start_as_current_span(
            _span_name(self.traced), attributes={"backline.task": self.spec_name}
        ) as span:
            receipt = await enqueue_call(self.function, args, kwargs, self.options)
            span.set_attributes({"backline.run": receipt.id, "backline.created": receipt.created})
            return receipt

    def using(self, **options: Any) -> "Scheduler[P]":
        """The same, with `after`, `at`, `priority`, `key`, `debounce` or `requested_by` for this call."""
        return replace(self, options=replace(self.options, **options))


def scheduler(task: Callable[P, Any], traced: str | None = None) -> Scheduler[P]:
    """The helper that schedules a declared task. Raises UnknownTask when it is not declared.

    `traced` names what it schedules, such as `copyright scan`, in a span of each call.
    """
    return Scheduler(spec_of(task).name, task, traced=traced)


def _span_name(what: str) -> str:
    # Saved queries look for these very names.
    if get_settings().docket.url is None:
        return "docket scheduling failed, falling back to asyncio"
    return f"scheduled {what} via docket"


async def enqueue(task: TaskFunction | str, /, *args: Any, options: Options = Options(), **kwargs: Any) -> Receipt:
    """Enqueue one run of a declared task. Raises UnknownTask, InvalidArguments."""
    return await enqueue_call(task, args, kwargs, options)


async def enqueue_call(
    task: TaskFunction | str, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options
) -> Receipt:
    """The same for arguments whatever their names are. Raises UnknownTask, InvalidArguments."""
    spec = spec_of(task)
    async with unit_of_work() as unit:
        return await enqueue_in(unit, spec, spec.arguments.bind(args, kwargs), options)


async def enqueue_many(task: TaskFunction | str, calls: Sequence[dict[str, Any]]) -> list[str]:
    """Enqueue many runs of one task at once, each with its arguments by name. Keys are not looked at. Returns the ids."""
    spec = spec_of(task)
    runs = [replace(_new_run(spec, spec.arguments.normalise(call), Options()), slot=None) for call in calls]
    async with unit_of_work() as unit:
        for start in range(0, len(runs), BATCH):
            await insert_runs(unit, runs[start : start + BATCH])
        unit.after_commit(_wake)
    return [run.id for run in runs]


async def enqueue_in(unit: Unit, spec: TaskSpec, args: dict[str, Any], options: Options) -> Receipt:
    """Enqueue within this unit, by the unique policy of the task. `args` are normalised."""
    run = _place(spec, _new_run(spec, args, options))
    for _ in range(SLOT_TRIES):
        if await insert_runs(unit, [run]):
            unit.after_commit(_hand_over(run))
            return Receipt(run.id, str(run.state))
        await queue_up(unit, spec.name, run.slot or "")
        active = await active_run(unit, spec.name, run.slot or "")
        if active is None:
            continue  # it ended between the two statements, so the key is free now
        if spec.unique is Unique.RETURN:
            return Receipt(active.id, active.state, created=False)
        if spec.unique is Unique.DEBOUNCE and await push_back(unit, active.id, args, run.due_at or now()):
            return Receipt(active.id, str(State.SCHEDULED), created=False)
        if spec.unique is Unique.REPLACE:
            await cancel_in(unit, active.id)
        await release_slot(unit, active.id)
    raise Conflict(f"the key {run.key!r} of {spec.name} changes hands too fast, try again", field="key")


def _new_run(spec: TaskSpec, args: dict[str, Any], options: Options) -> NewRun:
    key = options.key if options.key is not None else spec.key_for(args)
    requested_by = options.requested_by or requester.get()
    options.check(key, requested_by)
    due = options.due
    if due is None and spec.unique is Unique.DEBOUNCE and key is not None:
        due = now() + timedelta(seconds=DEBOUNCE_S if options.debounce is None else options.debounce)
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return NewRun(
        id=new_id(),
        task=spec.name,
        queue=spec.queue,
        priority=spec.priority if options.priority is None else options.priority,
        args=args,
        state=State.SCHEDULED if due else State.WAITING,
        key=key,
        slot=key,
        due_at=due,
        requested_by=requested_by,
        cause=active_run_id(),
        trace=carrier.get("traceparent"),
    )


def _place(spec: TaskSpec, run: NewRun) -> NewRun:
    # Where a slot is free the run is born queued: no second statement, and no wait for the feeder.
    here = dispatcher()
    if run.state != State.WAITING or here is None or not here.take_slot(spec):
        return run
    return replace(run, state=State.QUEUED, handover=1, worker=here.holder)


def _hand_over(run: NewRun) -> Callable[[], Awaitable[None]]:
    async def settle() -> None:
        here = dispatcher()
        if here is None:
            return
        if run.state == State.QUEUED:
            await here.hand_over([Ticket(run.id, run.task, run.args, 1, 0, 0, 0, run.trace, now().timestamp())])
        else:
            here.wake()

    return settle


async def _wake() -> None:
    if (here := dispatcher()) is not None:
        here.wake()
