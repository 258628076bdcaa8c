"""`backline alerts`."""

import asyncio
from collections.abc import Iterator

import pytest

from backend.db.base import now
from backend.db.models.alerts import Trouble
from backend.db.session import open_database, unit_of_work
from backend.settings import get_settings
from tests.cli.conftest import Terminal
from tests.conftest import set_environment
from tests.domains.alerts.receivers import Mailbox, mail_server
from tests.servers import free_port


async def put_troubles() -> None:
    async with open_database(get_settings().database), unit_of_work() as unit:
        unit.session.add(Trouble(subject="dead:transcode_version", text="2 runs died"))
        unit.session.add(Trouble(subject="silent:media", text="over", resolved_at=now()))


def test_lists_what_is_open(backline: Terminal) -> None:
    assert "Nothing needs you" in backline("alerts", "list").out
    asyncio.run(put_troubles())
    assert [each["subject"] for each in backline("alerts", "list", "--json").json] == ["dead:transcode_version"]
    assert "2 runs died" in backline("alerts", "list").out


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server(None) as box:
        address = f"smtp://localhost:{box.port}?starttls=no"
        set_environment(monkeypatch, SMTP_URL=address, NOTICE_MAIL="ops@example.com")
        yield box


def test_a_trial_goes_through_every_channel_and_says_which_fails(
    backline: Terminal, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = backline("alerts", "try")
    assert (ran.code, ran.out) == (0, "mail: taken\n")
    assert [mail["subject"] for mail in mailbox.mails] == ["Backline, a trial notice"]
    set_environment(monkeypatch, NOTICE_URL=f"http://127.0.0.1:{free_port()}/secret-path")
    ran = backline("alerts", "try")
    assert (ran.code, ran.out) == (1, "mail: taken\n")
    assert ran.err.startswith("webhook: ")
    assert "secret-path" not in ran.err


def test_without_a_channel_it_names_the_settings(backline: Terminal) -> None:
    ran = backline("alerts", "try")
    assert ran.code == 1
    assert "NOTICE_URL" in ran.err
