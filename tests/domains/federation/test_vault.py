"""Credentials are sealed for one account, with keys that can be changed."""

import stat
from pathlib import Path

import pytest

from backend.domains.federation.vault import Tokens, reseal, seal, unseal
from backend.errors import Misconfigured
from tests.conftest import set_environment

TOKENS = Tokens("access-secret", "refresh-secret")
OLD, NEW = "o" * 32, "n" * 40
ALICE = "did:plc:alice"


def test_what_is_sealed_says_nothing() -> None:
    sealed = seal(ALICE, TOKENS)
    assert "secret" not in sealed + repr(TOKENS)
    assert "alice" not in sealed
    assert unseal(ALICE, sealed) == TOKENS
    assert seal(ALICE, TOKENS) != sealed


def test_the_key_that_nobody_configured_is_private_and_stays(tmp_path: Path) -> None:
    sealed = seal(ALICE, TOKENS)
    file = tmp_path / "data" / "account-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert unseal(ALICE, sealed) == TOKENS
    file.unlink()
    with pytest.raises(Misconfigured, match="ACCOUNT_KEYS"):
        unseal(ALICE, sealed)


def test_credentials_are_no_other_accounts() -> None:
    with pytest.raises(Misconfigured, match="are those of"):
        unseal("did:plc:bob", seal(ALICE, TOKENS))


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA" + "A" * 100, "é"])
def test_what_nobody_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(Misconfigured):
        unseal(ALICE, sealed)


def test_keys_are_changed_in_three_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, ACCOUNT_KEYS=OLD)
    sealed = seal(ALICE, TOKENS)
    set_environment(monkeypatch, ACCOUNT_KEYS=f"{NEW}, {OLD}")
    assert unseal(ALICE, sealed) == TOKENS
    moved = reseal(sealed)
    set_environment(monkeypatch, ACCOUNT_KEYS=NEW)
    assert unseal(ALICE, moved) == TOKENS
    for attempt in (lambda: unseal(ALICE, sealed), lambda: reseal(sealed)):
        with pytest.raises(Misconfigured):
            attempt()
