"""The door with every task and helper: nothing is listed, everything is there."""

import subprocess
import sys

import pytest

import backend._internal.background_tasks as door
from backend.runtime import registry
from backend.runtime.enqueue import Scheduler
from backend.runtime.upkeep import prune_runs, schedule_prune_runs


def test_tasks_and_helpers_are_importable_by_name() -> None:
    from backend._internal.background_tasks import prune_runs as by_name
    from backend._internal.background_tasks import schedule_prune_runs as helper

    assert by_name is prune_runs
    assert helper is schedule_prune_runs


def test_every_declared_task_is_offered() -> None:
    door.find_rooms()
    ours = [spec for spec in registry.values() if spec.function.__module__.startswith("backend.")]
    assert ours
    for spec in ours:
        assert getattr(door, spec.name) is spec.function
    scheduled = {value.function for value in vars(door).values() if isinstance(value, Scheduler)}
    assert {spec.function for spec in ours} <= scheduled


def test_what_is_not_there_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        from backend._internal.background_tasks import schedule_nothing  # noqa: F401


def test_the_door_opens_in_a_fresh_interpreter() -> None:
    code = "from backend._internal.background_tasks import schedule_prune_runs; print(schedule_prune_runs.spec_name)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "prune_runs\n", done.stderr
