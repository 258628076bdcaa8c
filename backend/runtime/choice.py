"""Which waiting runs go next: priorities, shares, limits and rates, counted and not guessed."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from backend.db.session import Unit
from backend.runtime.ledger import claim
from backend.runtime.ledger.claim import Candidate, InHand
from backend.runtime.ledger.journal import Change
from backend.runtime.registry import registry
from backend.runtime.shares import allocate
from backend.runtime.view import ClusterView

MOST_AT_ONCE = 200


class Choice:
    """One choice, made while the feeder's lock is held. `held` is what this engine has in hand, by queue."""

    def __init__(self, unit: Unit, view: ClusterView, in_hand: InHand, held: Counter[str], moment: datetime) -> None:
        self.unit = unit
        self.view = view
        self.in_hand = in_hand
        self.held = held
        self.moment = moment
        self.chosen: list[Candidate] = []
        self.buried: list[Change] = []
        self.blocked = set(view.paused_tasks)
        self.task_room: dict[str, int] = {}
        self.queue_room: dict[str, int] = {}

    async def make(self) -> tuple[list[Candidate], list[Change], set[str]]:
        """The chosen runs, what was buried because no process knows its task, and the queues with runs left over."""
        while True:
            found = await self._look()
            picked, refused = await self._pick(found)
            self.chosen += picked
            if not refused or not self._free:
                left = {run.queue for run in found if run not in picked}
                return self.chosen, self.buried, left
            # What was refused may have hidden others of its queue: look again without it.
            self.blocked |= refused

    @property
    def _free(self) -> int:
        return max(min(self.view.capacity - self.held.total(), MOST_AT_ONCE - len(self.chosen)), 0)

    async def _look(self) -> list[Candidate]:
        queues = [
            queue
            for queue in self.view.queue_limits
            if queue not in self.view.paused_queues and await self._room_of_queue(queue) > 0
        ]
        taken = {run.id for run in self.chosen}
        # One more than there is room for, to know whether any are left over.
        found = await claim.candidates(self.unit, queues, self.blocked, self._free + len(taken) + 1)
        return [run for run in found if run.id not in taken]

    async def _pick(self, found: Sequence[Candidate]) -> tuple[list[Candidate], set[str]]:
        demand = Counter(run.queue for run in found)
        demand = Counter({queue: min(count, await self._room_of_queue(queue)) for queue, count in demand.items()})
        grants = allocate(self.view.capacity, self.held, demand, self.view.queue_limits)
        picked: list[Candidate] = []
        refused: set[str] = set()
        for run in found:
            if not grants[run.queue] or run.task in refused:
                continue
            if await self._room_of_task(run.task) < 1:
                refused.add(run.task)
                continue
            grants[run.queue] -= 1
            self.held[run.queue] += 1
            self.task_room[run.task] -= 1
            self.queue_room[run.queue] -= 1
            picked.append(run)
        return picked, refused

    async def _room_of_task(self, task: str) -> int:
        if task not in self.task_room:
            self.task_room[task] = await self._count_task_room(task)
        return self.task_room[task]

    async def _count_task_room(self, task: str) -> int:
        spec, room = registry.get(task), MOST_AT_ONCE
        if spec is None:
            # Its limits are known to the processes that declare it: one of them hands it over.
            if task not in await claim.declared(self.unit):
                self.buried += await claim.bury_unknown(self.unit, task, self.moment)
            return 0
        if task not in self.view.known_tasks:
            return 0  # no worker that lives declares it, yet
        if spec.limit is not None:
            room = min(room, spec.limit - self.in_hand.by_task[task])
        if spec.rate is not None:
            room = min(room, spec.rate.count - await self._starts("task", task, spec.rate.per))
        return room

    async def _room_of_queue(self, queue: str) -> int:
        if queue not in self.queue_room:
            rate = self.view.queue_rates.get(queue)
            room = MOST_AT_ONCE if rate is None else rate.count - await self._starts("queue", queue, rate.per)
            self.queue_room[queue] = room
        return self.queue_room[queue]

    async def _starts(self, column: str, name: str, per: timedelta) -> int:
        begun = await claim.count_starts(self.unit, column, name, self.moment - per)
        return begun + self.in_hand.queued[name]
