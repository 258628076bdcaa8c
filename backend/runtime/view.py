"""What this process knows of the cluster: refreshed at every turn of the feeder, good enough to hand over at once."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backend.errors import InvalidInput, Misconfigured
from backend.runtime.registry import QUEUES, Rate, TaskSpec
from backend.runtime.shares import allocate

FRESH_S = 3.0


@dataclass
class ClusterView:
    """Capacity, what is in hand, what is paused. Strict limits are never decided by it: the feeder counts those."""

    queue_limits: dict[str, int | None]
    queue_rates: dict[str, Rate]
    capacity: int = 0
    known_tasks: set[str] = field(default_factory=set)  # what the workers that live can execute
    paused_queues: set[str] = field(default_factory=set)
    paused_tasks: set[str] = field(default_factory=set)
    in_hand: Counter[str] = field(default_factory=Counter)
    backlog: set[str] = field(default_factory=set)  # queues where runs wait their turn
    engine_up: bool = True
    counted_at: float = float("-inf")

    @classmethod
    def from_settings(cls, concurrency: Mapping[str, int], rates: Mapping[str, str]) -> "ClusterView":
        """A view that knows the queues' limits and nothing else. Raises Misconfigured, naming the setting."""
        for setting, queues in (("RUNNER_QUEUE_CONCURRENCY", concurrency), ("RUNNER_QUEUE_RATE", rates)):
            if unknown := sorted(set(queues) - set(QUEUES)):
                raise Misconfigured(
                    f"{setting}: no queue {unknown[0]!r}; queues are {', '.join(QUEUES)}", field=setting
                )
        if any(limit < 1 for limit in concurrency.values()):
            raise Misconfigured("RUNNER_QUEUE_CONCURRENCY: at least 1 each", field="RUNNER_QUEUE_CONCURRENCY")
        try:
            parsed = {queue: Rate.parse(rate) for queue, rate in rates.items()}
        except InvalidInput as error:
            raise Misconfigured(f"RUNNER_QUEUE_RATE: {error}", field="RUNNER_QUEUE_RATE") from None
        return cls({queue: concurrency.get(queue) for queue in QUEUES}, parsed)

    def counted(self, in_hand: Mapping[str, int], backlog: Iterable[str]) -> None:
        """Take over what a turn of the feeder counted and left."""
        self.in_hand = Counter(in_hand)
        self.backlog = set(backlog)
        self.counted_at = time.monotonic()

    def take_slot(self, spec: TaskSpec) -> bool:
        """Take a slot for a new run of `spec`, if it may start at once. Otherwise the feeder decides."""
        queue = spec.queue
        at_once = (
            self.engine_up
            and time.monotonic() - self.counted_at < FRESH_S
            and spec.limit is None
            and spec.rate is None
            and self.queue_limits.get(queue) is None
            and queue not in self.queue_rates
            and queue not in self.backlog
            and queue not in self.paused_queues
            and spec.name not in self.paused_tasks
            and spec.name in self.known_tasks
            and allocate(self.capacity, self.in_hand, {queue: 1}, self.queue_limits)[queue] > 0
        )
        if at_once:
            self.in_hand[queue] += 1
        return at_once
