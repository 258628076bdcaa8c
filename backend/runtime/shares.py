"""Who gets the next free slots: pure policy over counts."""

from collections.abc import Mapping

RESERVED_SHARE = 5  # one slot in five, and at least one, is kept for queues that have nothing in hand


def allocate(
    capacity: int, in_hand: Mapping[str, int], demand: Mapping[str, int], limits: Mapping[str, int | None]
) -> dict[str, int]:
    """How many runs each queue may hand over now.

    The queue with the fewest runs in hand goes first, one slot at a time. A queue that has some in hand never takes the
    last slots: those are kept for the queues that have none, so that a slow queue cannot starve another. `limits` names
    every queue, with its concurrency or None.
    """
    grants = dict.fromkeys(demand, 0)
    held = {queue: in_hand.get(queue, 0) for queue in demand}
    free = capacity - sum(in_hand.values())

    def below_limit(queue: str) -> bool:
        limit = limits.get(queue)
        return limit is None or held[queue] < limit

    while free > 0:
        idle = sum(1 for queue in limits if not in_hand.get(queue, 0) and not grants.get(queue, 0))
        reserve = min(idle, max(capacity // RESERVED_SHARE, 1)) if capacity > 1 else 0
        open_queues = [
            queue
            for queue in demand
            if grants[queue] < demand[queue] and below_limit(queue) and (held[queue] == 0 or free > reserve)
        ]
        if not open_queues:
            break
        queue = min(open_queues, key=lambda name: held[name])
        grants[queue] += 1
        held[queue] += 1
        free -= 1
    return grants
