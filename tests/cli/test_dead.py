"""`backline dead`."""

import pytest

from tests.cli.conftest import Ledger, Terminal


def test_lists_and_groups(backline: Terminal, ledger: Ledger) -> None:
    assert ledger.dead in backline("dead", "list").out
    assert [run["id"] for run in backline("dead", "list", "--json").json["items"]] == [ledger.dead]
    [group] = backline("dead", "groups", "--json").json
    assert (group["task"], group["count"]) == ("api_die", 1)
    assert group["error_group"] in backline("dead", "groups").out
    assert backline("dead", "list", "--group", group["error_group"], "--json").json["items"]
    assert backline("dead", "list", "--group", "0", "--json").json["items"] == []


@pytest.mark.parametrize("selection", [["--all"], ["--task", "api_die"], ["--text", "because"], ["ID"]])
def test_requeues(backline: Terminal, ledger: Ledger, selection: list[str]) -> None:
    words = [word.replace("ID", ledger.dead) for word in selection]
    assert backline("dead", "requeue", *words, "--json").json == {"requeued": 1, "remaining": 0}
    assert backline("runs", "show", ledger.dead, "--json").json["state"] == "waiting"


def test_purges_after_asking(backline: Terminal, ledger: Ledger) -> None:
    asked = backline("dead", "purge", "--all", typed="n\n")
    assert asked.code == 0
    assert "Delete 1 dead run(s)" in asked.err
    assert backline("dead", "list", "--json").json["items"]
    assert backline("dead", "purge", "--all", "--yes").out.strip() == "purged 1"
    assert backline("runs", "show", ledger.dead).code == 3
    assert backline("runs", "show", ledger.succeeded).code == 0


@pytest.mark.parametrize("action", ["requeue", "purge"])
@pytest.mark.parametrize("selection", [[], ["--all", "--task", "api_die"], ["some-id", "--all"]])
def test_a_selection_must_be_clear(backline: Terminal, ledger: Ledger, action: str, selection: list[str]) -> None:
    ran = backline("dead", action, *selection)
    assert (ran.code, ran.out) == (2, "")
    assert "--all" in ran.err
