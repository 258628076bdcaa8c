"""`backline sign-ins`."""

from tests.cli.conftest import Terminal


def test_opens_lists_and_closes(backline: Terminal) -> None:
    opened = backline("sign-ins", "open", "did:plc:alice", "--role", "operator", "--note", "laptop")
    token = opened.out.strip()
    assert (opened.code, len(token)) == (0, 43)
    [shown] = backline("sign-ins", "list", "--json").json
    assert (shown["did"], shown["role"], shown["note"]) == ("did:plc:alice", "operator", "laptop")
    assert token not in backline("sign-ins", "list").out
    assert "closed 1" in backline("sign-ins", "close", "did:plc:alice").out
    assert "Nobody" in backline("sign-ins", "list").out


def test_refuses_what_is_no_account_or_no_role(backline: Terminal) -> None:
    ran = backline("sign-ins", "open", "alice")
    assert (ran.code, ran.out) == (2, "")
    assert "did:plc" in ran.err
    assert backline("sign-ins", "open", "did:plc:alice", "--role", "king").code == 2
