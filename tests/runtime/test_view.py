"""What a process knows of the cluster."""

import pytest

from backend.errors import Misconfigured
from backend.runtime.registry import Rate, TaskSpec, registry, task
from backend.runtime.view import ClusterView


@pytest.fixture
def spec() -> TaskSpec:
    @task(queue="media")
    async def measure() -> None: ...

    return registry["measure"]


@pytest.fixture
def view() -> ClusterView:
    view = ClusterView.from_settings({}, {})
    view.capacity, view.known_tasks = 5, {"measure"}
    view.counted({}, [])
    return view


def test_a_free_slot_is_taken_once(view: ClusterView, spec: TaskSpec) -> None:
    assert [view.take_slot(spec) for _ in range(6)] == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"engine_up": False},
        {"capacity": 0},
        {"known_tasks": set()},
        {"backlog": {"media"}},
        {"paused_queues": {"media"}},
        {"paused_tasks": {"measure"}},
        {"queue_limits": {"media": 3}},
        {"queue_rates": {"media": Rate.parse("5/s")}},
        {"counted_at": float("-inf")},
    ],
)
def test_whatever_must_be_counted_is_left_to_the_feeder(
    view: ClusterView, spec: TaskSpec, change: dict[str, object]
) -> None:
    for name, value in change.items():
        setattr(view, name, value)
    assert not view.take_slot(spec)


@pytest.mark.parametrize("policy", [{"limit": 3}, {"rate": "100/s"}])
def test_a_task_with_a_limit_is_left_to_the_feeder(view: ClusterView, policy: dict[str, object]) -> None:
    @task(queue="media", **policy)  # type: ignore[arg-type]
    async def measure() -> None: ...

    assert not view.take_slot(registry["measure"])


@pytest.mark.parametrize(
    ("concurrency", "rate", "setting"),
    [
        ({"medai": 3}, {}, "RUNNER_QUEUE_CONCURRENCY"),
        ({"media": 0}, {}, "RUNNER_QUEUE_CONCURRENCY"),
        ({}, {"medai": "5/s"}, "RUNNER_QUEUE_RATE"),
        ({}, {"media": "often"}, "RUNNER_QUEUE_RATE"),
    ],
)
def test_settings_that_cannot_be_are_named(concurrency: dict[str, int], rate: dict[str, str], setting: str) -> None:
    with pytest.raises(Misconfigured, match=setting):
        ClusterView.from_settings(concurrency, rate)
