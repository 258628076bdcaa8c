"""Settings of alerts that cannot work are refused at the start, and name what is missing."""

import pytest

from backend.errors import Misconfigured
from backend.settings import Settings
from tests.conftest import set_environment


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"NOTICE_MAIL": "ops@example.com"}, "NOTICE_MAIL needs SMTP_URL"),
        ({"NOTICE_DID": "bob.test"}, "NOTICE_DID needs NOTICE_ACCOUNT and NOTICE_ACCOUNT_PASSWORD"),
        ({"NOTICE_MAIL": "ops, you", "SMTP_URL": "smtp://x"}, "'ops' is none"),
        ({"SMTP_URL": "mail.example.com:587"}, "must start with smtp:// or smtps://"),
        ({"NOTICE_URL": "hook.example.com/secret"}, "must start with https:// or http://"),
    ],
)
def test_what_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str) -> None:
    set_environment(monkeypatch, **given)
    with pytest.raises(Misconfigured) as caught:
        Settings()
    assert said in caught.value.detail
    assert "secret" not in caught.value.detail.lower().replace("notice_secret", "")
    assert "mail.example.com" not in caught.value.detail
