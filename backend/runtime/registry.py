"""Which tasks exist: declared where they are written, found by walking the rooms."""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from backend.errors import InvalidInput, UnknownTask
from backend.runtime.arguments import Arguments
from backend.runtime.cron import Timing, parse_timing
from backend.runtime.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=StrEnum)
TaskFunction = Callable[..., Awaitable[Any]]

QUEUES = ("federation", "media", "library", "curation", "marketplace", "analytics", "upkeep")


PRIORITY_LIMIT = 1_000_000


class Unique(StrEnum):
    """What an enqueue does when a run with the same key is active."""

    RETURN = "return"  # gives back the active run
    REPLACE = "replace"  # cancels the active run and takes its place
    DEBOUNCE = "debounce"  # moves the waiting run back and gives it the newest arguments


class Overlap(StrEnum):
    """What a schedule does when its previous run is still active."""

    SKIP = "skip"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """What a schedule does about times that passed while nothing ran."""

    ONE = "one"  # run once for all of them
    NONE = "none"  # wait for the next time


@dataclass(frozen=True)
class Rate:
    """At most `count` starts in any window of `per`."""

    count: int
    per: timedelta

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read `10/60s`, `5/s`, `100/m` or `1000/h`. Raises InvalidInput."""
        count, _, window = text.partition("/")
        seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(window[-1:])
        amount = window[:-1] or "1"
        if not count.isdigit() or int(count) < 1 or seconds is None or not amount.isdigit() or int(amount) < 1:
            raise InvalidInput(f"{text!r} is not a rate: write COUNT/WINDOW, for example 10/60s or 5/m", field="rate")
        return cls(int(count), timedelta(seconds=int(amount) * seconds))


@dataclass(frozen=True)
class ScheduleSpec:
    """When a task runs by itself."""

    timing: Timing
    overlap: Overlap
    catchup: CatchUp


@dataclass(frozen=True)
class TaskSpec:
    """One declared task and its policy."""

    name: str
    function: TaskFunction
    arguments: Arguments
    queue: str
    priority: int = 0
    limit: int | None = None
    rate: Rate | None = None
    retry: Retry = field(default_factory=Retry)
    timeout: timedelta | None = None
    key: str | None = None
    unique: Unique = Unique.RETURN
    schedule: ScheduleSpec | None = None

    def key_for(self, args: Mapping[str, object]) -> str | None:
        """The key of a run with these arguments, from the declared template."""
        return self.key.format(**args) if self.key else None


registry: dict[str, TaskSpec] = {}


def task(
    *,
    queue: str,
    priority: int = 0,
    limit: int | None = None,
    rate: str | None = None,
    retry: Retry | None = None,
    timeout: float | None = None,
    key: str | None = None,
    unique: str = "return",
    every: float | None = None,
    cron: str | None = None,
    overlap: str = "skip",
    catchup: str = "one",
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Declare an async function as a task. The function is returned unchanged.

    `limit` and `rate` hold for the whole cluster. `timeout` is in seconds, for one attempt. `key` is a template over
    the arguments, such as `transcode:{version_id}`. `every` (seconds) or `cron` (five fields, UTC) make it a schedule.
    Raises InvalidInput when the declaration cannot work.
    """

    def declare(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        add(
            TaskSpec(
                name=function.__name__,
                function=function,
                arguments=Arguments(function),
                queue=queue,
                priority=priority,
                limit=limit,
                rate=Rate.parse(rate) if rate is not None else None,
                retry=retry or Retry(),
                timeout=timedelta(seconds=timeout) if timeout is not None else None,
                key=key,
                unique=_choice(Unique, unique, "unique"),
                schedule=_schedule(every, cron, overlap, catchup),
            )
        )
        return function

    return declare


def _schedule(every: float | None, cron: str | None, overlap: str, catchup: str) -> ScheduleSpec | None:
    policy = _choice(Overlap, overlap, "overlap"), _choice(CatchUp, catchup, "catchup")
    if every is not None and cron is not None:
        raise InvalidInput("a schedule has `every` or `cron`, not both", field="cron")
    if every is not None:
        return ScheduleSpec(parse_timing(f"every {every:f}"), *policy)
    return ScheduleSpec(parse_timing(cron), *policy) if cron is not None else None


def _choice(kind: type[E], value: str, field: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"{field}={value!r}: choose {' or '.join(map(repr, map(str, kind)))}", field=field) from None


def add(spec: TaskSpec) -> None:
    """Note a task. Raises InvalidInput when it cannot work or when another function has its name."""
    where = f"task {spec.name}"
    if not inspect.iscoroutinefunction(spec.function):
        raise InvalidInput(f"{where}: a task must be an `async def` function", field="function")
    if spec.queue not in QUEUES:
        raise InvalidInput(f"{where}: no queue {spec.queue!r}; queues are {', '.join(QUEUES)}", field="queue")
    if spec.limit is not None and spec.limit < 1:
        raise InvalidInput(f"{where}: limit must be at least 1", field="limit")
    if not -PRIORITY_LIMIT <= spec.priority <= PRIORITY_LIMIT:
        raise InvalidInput(
            f"{where}: a priority is between -{PRIORITY_LIMIT:,} and {PRIORITY_LIMIT:,}", field="priority"
        )
    if spec.timeout is not None and spec.timeout <= timedelta(0):
        raise InvalidInput(f"{where}: timeout must be more than 0 seconds", field="timeout")
    if spec.key:
        spec.arguments.check_template(spec.key, where)
    if spec.schedule and not spec.arguments.all_optional:
        raise InvalidInput(f"{where}: a schedule gives no arguments, so each needs a default", field="schedule")
    known = registry.get(spec.name)
    if known and (known.function.__module__, known.function.__qualname__) != (
        spec.function.__module__,
        spec.function.__qualname__,
    ):
        raise InvalidInput(f"{where}: also declared in {known.function.__module__}", field="name")
    registry[spec.name] = spec


def spec_of(task: TaskFunction | str) -> TaskSpec:
    """The declaration of a function or of a name. Raises UnknownTask."""
    name = task if isinstance(task, str) else getattr(task, "__name__", repr(task))
    spec = registry.get(name)
    if spec is None or (not isinstance(task, str) and spec.function is not task):
        raise UnknownTask(
            f"no task {name!r} is declared: decorate it with @task in a room under domains/", field="task"
        )
    return spec


def discover(*packages: str) -> None:
    """Import every module of these packages, so that what they declare is known."""
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
            importlib.import_module(module.name)
