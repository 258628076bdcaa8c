"""Who gets the next free slots."""

from hypothesis import given
from hypothesis import strategies as st

from backend.runtime.registry import QUEUES
from backend.runtime.shares import allocate

NO_LIMITS: dict[str, int | None] = dict.fromkeys(QUEUES)


def test_a_lone_queue_gets_all_but_what_is_kept_for_the_idle() -> None:
    assert allocate(10, {}, {"media": 100}, NO_LIMITS) == {"media": 8}


def test_a_queue_without_runs_in_hand_gets_the_kept_slots() -> None:
    assert allocate(10, {"media": 8}, {"media": 5, "library": 5}, NO_LIMITS) == {"media": 0, "library": 1}


def test_queues_with_demand_share_evenly() -> None:
    grants = allocate(20, {}, {"media": 100, "library": 100, "upkeep": 2}, NO_LIMITS)
    assert grants["upkeep"] == 2
    assert abs(grants["media"] - grants["library"]) <= 1


def test_a_small_worker_keeps_a_slot_too() -> None:
    assert allocate(2, {}, {"media": 9}, NO_LIMITS) == {"media": 1}
    assert allocate(4, {"media": 3}, {"media": 9, "library": 1}, NO_LIMITS) == {"media": 0, "library": 1}


def test_a_single_slot_is_given_to_whoever_comes() -> None:
    assert allocate(1, {}, {"media": 9}, NO_LIMITS) == {"media": 1}


def test_without_capacity_nothing_is_given() -> None:
    assert allocate(0, {}, {"media": 9}, NO_LIMITS) == {"media": 0}
    assert allocate(3, {"library": 5}, {"media": 9}, NO_LIMITS) == {"media": 0}


counts = st.dictionaries(st.sampled_from(QUEUES), st.integers(0, 40))
limits = st.fixed_dictionaries({queue: st.none() | st.integers(1, 20) for queue in QUEUES})


@given(st.integers(0, 60), counts, counts, limits)
def test_what_is_granted_is_asked_for_and_there(
    capacity: int, in_hand: dict[str, int], demand: dict[str, int], limits: dict[str, int | None]
) -> None:
    grants = allocate(capacity, in_hand, demand, limits)
    assert grants.keys() == demand.keys()
    assert sum(grants.values()) <= max(capacity - sum(in_hand.values()), 0)
    for queue, granted in grants.items():
        limit = limits[queue]
        assert 0 <= granted <= demand[queue]
        assert limit is None or granted == 0 or in_hand.get(queue, 0) + granted <= limit


@given(st.integers(2, 60), counts, counts)
def test_who_has_nothing_in_hand_is_never_last(capacity: int, in_hand: dict[str, int], demand: dict[str, int]) -> None:
    grants = allocate(capacity, in_hand, demand, NO_LIMITS)
    starving = [queue for queue, runs in demand.items() if runs and not in_hand.get(queue) and not grants[queue]]
    fed = [queue for queue in demand if grants[queue] and (in_hand.get(queue, 0) or grants[queue] > 1)]
    assert not (starving and fed)


@given(st.integers(2, 60), st.integers(1, 200), st.sampled_from(QUEUES), st.sampled_from(QUEUES))
def test_a_greedy_queue_leaves_room_for_another(capacity: int, greed: int, greedy: str, other: str) -> None:
    first = allocate(capacity, {}, {greedy: greed}, NO_LIMITS)
    if other != greedy:
        assert allocate(capacity, first, {other: 1}, NO_LIMITS) == {other: 1}


@given(st.integers(1, 60), st.integers(1, 200))
def test_work_never_waits_beside_an_idle_crew(capacity: int, waiting: int) -> None:
    assert allocate(capacity, {}, {"media": waiting}, NO_LIMITS)["media"] >= 1
