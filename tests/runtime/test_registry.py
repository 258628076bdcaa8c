"""Declarations: what they keep, what they refuse, and how they are found."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.errors import InvalidInput, InvalidSchedule, UnknownTask
from backend.runtime import Retry, TaskSpec, discover, registry, scheduler, spec_of, task
from backend.runtime.registry import CatchUp, Overlap, Rate, Unique


def declare(**policy: Any) -> Callable[..., Any]:
    @task(**{"queue": "media", **policy})
    async def measure(version_id: str = "v", deep: bool = False) -> None: ...

    return measure


def test_a_declaration_keeps_the_function_and_its_policy() -> None:
    retry = Retry(attempts=7)
    function = declare(
        priority=3, limit=2, rate="10/60s", retry=retry, timeout=1.5, key="m:{version_id}", unique="debounce"
    )
    spec = spec_of(function)
    assert spec is registry["measure"] is spec_of("measure")
    assert spec.function is function
    assert (spec.queue, spec.priority, spec.limit, spec.retry) == ("media", 3, 2, retry)
    assert spec.rate == Rate(10, timedelta(seconds=60))
    assert spec.timeout == timedelta(seconds=1.5)
    assert spec.unique is Unique.DEBOUNCE
    assert spec.key_for({"version_id": "v9", "deep": True}) == "m:v9"


def test_a_schedule_is_declared_with_its_policies() -> None:
    declare(every=300)
    schedule = registry["measure"].schedule
    assert schedule is not None
    assert (schedule.timing.text, schedule.overlap, schedule.catchup) == ("every 300", Overlap.SKIP, CatchUp.ONE)
    declare(cron="0 1 * * *", overlap="allow", catchup="none")
    schedule = registry["measure"].schedule
    assert schedule is not None
    assert (schedule.timing.text, schedule.overlap, schedule.catchup) == ("0 1 * * *", Overlap.ALLOW, CatchUp.NONE)


def test_a_long_interval_is_declared_as_it_is() -> None:
    declare(every=14 * 86400)
    schedule = registry["measure"].schedule
    assert schedule is not None
    assert schedule.timing.interval == timedelta(days=14)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"queue": "nowhere"}, "queue"),
        ({"limit": 0}, "limit"),
        ({"priority": 10_000_000}, "priority"),
        ({"rate": "often"}, "rate"),
        ({"rate": ""}, "rate"),
        ({"rate": "0/s"}, "rate"),
        ({"rate": "5/y"}, "rate"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"key": "m:{track}"}, "key"),
        ({"key": "m:{version_id"}, "key"),
        ({"key": "m:{}"}, "key"),
        ({"unique": "sometimes"}, "unique"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catchup": "all"}, "catchup"),
        ({"every": 5, "cron": "* * * * *"}, "cron"),
    ],
)
def test_a_declaration_that_cannot_work_names_its_field(policy: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        declare(**policy)
    assert caught.value.field == field
    assert "measure" not in registry


@pytest.mark.parametrize(
    "policy", [{"every": 0}, {"every": -5}, {"every": float("nan")}, {"cron": ""}, {"cron": "daily"}]
)
def test_a_schedule_that_never_comes_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchedule):
        declare(**policy)


def test_a_schedule_needs_a_default_for_every_argument() -> None:
    with pytest.raises(InvalidInput) as caught:

        @task(queue="media", every=60)
        async def refresh(track_id: str) -> None: ...

    assert caught.value.field == "schedule"


def test_a_task_is_async() -> None:
    with pytest.raises(InvalidInput, match="async def"):

        @task(queue="media")  # type: ignore[arg-type]
        def block() -> None: ...


def test_two_functions_of_one_name_are_refused() -> None:
    declare()

    with pytest.raises(InvalidInput) as caught:

        @task(queue="media")
        async def measure(track_id: str) -> None: ...

    assert caught.value.field == "name"
    assert spec_of("measure").key is None


def test_the_same_function_declared_again_replaces_itself() -> None:
    first, second = declare(), declare(limit=3)
    assert spec_of(second).limit == 3
    with pytest.raises(UnknownTask):
        spec_of(first)


def test_what_nobody_declared_is_unknown() -> None:
    async def stray() -> None: ...

    for unknown in ("nobody", stray):
        with pytest.raises(UnknownTask) as caught:
            spec_of(unknown)
        assert caught.value.field == "task"
    with pytest.raises(UnknownTask):
        scheduler(stray)


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [("10/60s", 10, 60), ("5/s", 5, 1), ("100/m", 100, 60), ("7/2h", 7, 7200), ("1/d", 1, 86400)],
)
def test_rates_are_read(text: str, count: int, seconds: int) -> None:
    assert Rate.parse(text) == Rate(count, timedelta(seconds=seconds))


def test_rooms_are_found_by_walking_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "rooms_of_a_test" / "media"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").touch()
    (room / "__init__.py").touch()
    (room / "peaks.py").write_text(
        "from backend.runtime import task\n\n\n@task(queue='media')\nasync def find_peaks(version_id: str) -> None: ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    discover("rooms_of_a_test")
    found = registry["find_peaks"]
    assert isinstance(found, TaskSpec)
    assert found.function.__module__ == "rooms_of_a_test.media.peaks"
    for name in [name for name in sys.modules if name.startswith("rooms_of_a_test")]:
        del sys.modules[name]
