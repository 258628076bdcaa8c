"""`backline schedules`."""

import pytest

from tests.cli.conftest import Terminal


def view(backline: Terminal) -> dict[str, object]:
    return next(each for each in backline("schedules", "list", "--json").json if each["task"] == "api_tidy")


def test_lists_before_any_process_ran(backline: Terminal) -> None:
    assert (view(backline)["declared"], view(backline)["override"]) == ("0 4 * * 0", None)
    assert "api_tidy" in backline("schedules", "list").out


def test_pauses_and_resumes(backline: Terminal) -> None:
    assert backline("schedules", "pause", "api_tidy").code == 0
    assert view(backline)["paused"] is True
    assert backline("schedules", "resume", "api_tidy").code == 0
    assert view(backline)["paused"] is False


def test_changes_the_timing_and_goes_back(backline: Terminal) -> None:
    assert backline("schedules", "interval", "api_tidy", "every 300").code == 0
    assert view(backline)["override"] == "every 300"
    assert "instead of 0 4 * * 0" in backline("schedules", "list").out
    assert backline("schedules", "interval", "api_tidy", "--declared").code == 0
    assert view(backline)["override"] is None


@pytest.mark.parametrize("spec", [["every"], ["every 0"], ["0 0 31 2 *"], ["* *"], [], ["every 5", "--declared"]])
def test_an_unreadable_timing_changes_nothing(backline: Terminal, spec: list[str]) -> None:
    ran = backline("schedules", "interval", "api_tidy", *spec)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert view(backline)["override"] is None


def test_runs_now(backline: Terminal) -> None:
    receipt = backline("schedules", "run", "api_tidy", "--args", '{"deep": true}', "--json").json
    assert (receipt["state"], receipt["created"]) == ("waiting", True)
    assert backline("runs", "show", receipt["id"], "--json").json["args"] == {"deep": True}
    assert backline("schedules", "run", "api_tidy", "--args", '{"deep": "x"}').code == 2


@pytest.mark.parametrize("words", [["pause", "api_note"], ["resume", "x"], ["run", "x"], ["interval", "x", "every 5"]])
def test_an_unknown_schedule_is_not_found(backline: Terminal, words: list[str]) -> None:
    ran = backline("schedules", *words)
    assert (ran.code, ran.out) == (3, "")
