"""`backline runs`."""

import pytest

from tests.cli.conftest import Ledger, Terminal

UNKNOWN = "0192a6b1-7c1e-7d2f-8a3b-4c5d6e7f8091"


def test_lists_as_a_table_and_as_json(backline: Terminal, ledger: Ledger) -> None:
    shown = backline("runs", "list")
    assert shown.code == 0
    for run, task in ((ledger.succeeded, "api_note"), (ledger.dead, "api_die"), (ledger.waiting, "api_wait")):
        assert run in shown.out
        assert task in shown.out
    listed = backline("runs", "list", "--json")
    assert [run["id"] for run in listed.json["items"]] == [ledger.waiting, ledger.dead, ledger.succeeded]
    assert listed.err == ""


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--state", "dead"], ["dead"]),
        (["--state", "dead", "--state", "waiting"], ["waiting", "dead"]),
        (["--task", "api_note"], ["succeeded"]),
        (["--queue", "library"], ["waiting"]),
        (["--key", "note:la"], ["succeeded"]),
        (["--text", "because"], ["dead"]),
        (["--since", "1h", "--queue", "library"], ["waiting"]),
        (["--since", "2099-01-01"], []),
        (["--until", "1h"], []),
    ],
)
def test_filters(backline: Terminal, ledger: Ledger, options: list[str], found: list[str]) -> None:
    listed = backline("runs", "list", "--json", *options)
    assert [run["id"] for run in listed.json["items"]] == [getattr(ledger, name) for name in found]


def test_pages(backline: Terminal, ledger: Ledger) -> None:
    first = backline("runs", "list", "--json", "--limit", "2").json
    assert len(first["items"]) == 2
    rest = backline("runs", "list", "--json", "--cursor", first["next"]).json
    assert ([run["id"] for run in rest["items"]], rest["next"]) == ([ledger.succeeded], None)


def test_an_empty_ledger_says_so(backline: Terminal) -> None:
    assert backline("runs", "list").out.strip() == "No runs."


@pytest.mark.parametrize(
    "options", [["--state", "lost"], ["--since", "yesterday"], ["--limit", "0"], ["--colour", "red"]]
)
def test_a_wrong_option_is_a_usage_error(backline: Terminal, options: list[str]) -> None:
    ran = backline("runs", "list", *options)
    assert (ran.code, ran.out) == (2, "")
    assert options[0] in ran.err


def test_shows_one_with_its_attempts(backline: Terminal, ledger: Ledger) -> None:
    shown = backline("runs", "show", ledger.dead)
    assert shown.code == 0
    for text in (ledger.dead, "api_die", "InvalidInput", "cannot: because", "attempt 1", "Traceback"):
        assert text in shown.out
    assert backline("runs", "show", ledger.dead, "--json").json["attempts"][0]["outcome"] == "failed"


@pytest.mark.parametrize("action", ["show", "cancel", "requeue", "watch"])
def test_an_unknown_run_is_not_found(backline: Terminal, action: str) -> None:
    ran = backline("runs", action, UNKNOWN)
    assert (ran.code, ran.out) == (3, "")
    assert "run_id" in ran.err
    assert "backline runs list" in ran.err


def test_cancels_once(backline: Terminal, ledger: Ledger) -> None:
    assert backline("runs", "cancel", ledger.waiting).out.split() == [ledger.waiting, "cancelled"]
    again = backline("runs", "cancel", ledger.waiting)
    assert again.code == 4
    assert "cancelled already" in again.err


def test_requeues_as_it_was_or_edited(backline: Terminal, ledger: Ledger) -> None:
    edited = backline("runs", "requeue", ledger.dead, "--args", '{"reason": "else"}', "--json")
    assert (edited.code, edited.json["state"], edited.json["args"]) == (0, "waiting", {"reason": "else"})
    assert backline("runs", "requeue", ledger.dead).code == 4
    assert backline("runs", "requeue", ledger.succeeded).out.split() == [ledger.succeeded, "waiting"]


@pytest.mark.parametrize(
    ("args", "field"), [("{", "--args"), ("[1]", "--args"), ('{"times": "x"}', "times"), ('{"pitch": 1}', "pitch")]
)
def test_wrong_arguments_change_nothing(backline: Terminal, ledger: Ledger, args: str, field: str) -> None:
    ran = backline("runs", "requeue", ledger.succeeded, "--args", args)
    assert (ran.code, ran.out) == (2, "")
    assert field in ran.err
    assert backline("runs", "show", ledger.succeeded, "--json").json["state"] == "succeeded"


def test_watches_to_the_end(backline: Terminal, ledger: Ledger) -> None:
    well = backline("runs", "watch", ledger.succeeded)
    assert (well.code, well.out.split()) == (0, [ledger.succeeded, "succeeded"])
    badly = backline("runs", "watch", ledger.dead, "--json")
    assert (badly.code, badly.json["state"]) == (1, "dead")
