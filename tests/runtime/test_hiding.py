"""What no log may hold is hidden; what is nothing secret stays."""

import pytest

from backend.runtime.hiding import HIDDEN, _known, hidden, hide_values_of
from backend.settings import get_settings
from tests.conftest import set_environment


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Authorization: Bearer abc.def-123456", f"Authorization: Bearer {HIDDEN}"),
        ("sent DPoP eyJhbGciOiJFUzI1NiJ9.e30.c2ln", f"sent DPoP {HIDDEN}"),
        ("got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl back", f"got {HIDDEN} back"),
        ("redis://default:hunter2@redis:6379/0 is away", f"redis://{HIDDEN}@redis:6379/0 is away"),
        ("GET /x?expires=1&signature=ab12cd&name=y", f"GET /x?expires=1&signature={HIDDEN}&name=y"),
        ('{"password": "hunter2", "name": "a"}', f'{{"password": "{HIDDEN}", "name": "a"}}'),
        ("login with abcd-efgh-2345-mnop failed", f"login with {HIDDEN} failed"),
    ],
)
def test_credentials_are_known_by_their_form(said: str, left: str) -> None:
    assert hidden(said) == left


@pytest.mark.parametrize(
    "said",
    [
        "run 0192a6b1-1234-5678-9abc-def012345678 ended",
        "the token: it is refused, set AUDD_TOKEN",
        "12 of 40 tokens left",
        "https://example.com/a@b and did:plc:abcdefgh",
        "at 2026-11-28T12:00:00+00:00",
    ],
)
def test_what_is_no_credential_stays(said: str) -> None:
    assert hidden(said) == said


def test_secret_settings_are_known_by_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(_known)
    set_environment(monkeypatch, AUDD_TOKEN="plain-words-of-a-token", ACCOUNT_KEYS=f"{'a' * 32}, {'b' * 32}")
    try:
        hide_values_of(get_settings().sections)
        assert hidden(f"asked with plain-words-of-a-token and {'b' * 32}!") == f"asked with {HIDDEN} and {HIDDEN}!"
    finally:
        _known.clear()
        _known.update(before)
