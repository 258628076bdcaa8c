"""`backline queues`."""

import pytest

from tests.cli.conftest import Ledger, Terminal


def test_lists(backline: Terminal, ledger: Ledger) -> None:
    shown = {queue["name"]: queue for queue in backline("queues", "list", "--json").json}
    assert (shown["library"]["waiting"], shown["curation"]["dead"]) == (1, 1)
    assert "library" in backline("queues", "list").out


def test_pauses_and_resumes_a_queue(backline: Terminal) -> None:
    assert backline("queues", "pause", "media").code == 0
    assert "paused" in backline("queues", "list").out
    assert backline("queues", "resume", "media").code == 0
    assert "paused" not in backline("queues", "list").out


def test_pauses_and_resumes_a_task(backline: Terminal) -> None:
    assert backline("queues", "pause", "--task", "api_note").code == 0
    assert "api_note paused" in backline("queues", "list").out
    assert backline("queues", "resume", "--task", "api_note").code == 0
    assert "paused" not in backline("queues", "list").out


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (["nowhere"], 3, "queue"),
        (["--task", "nothing"], 3, "nothing"),
        ([], 2, "QUEUE"),
        (["media", "--task", "x"], 2, "QUEUE"),
    ],
)
@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_wrong_name(backline: Terminal, action: str, words: list[str], code: int, field: str) -> None:
    ran = backline("queues", action, *words)
    assert (ran.code, ran.out) == (code, "")
    assert field in ran.err
