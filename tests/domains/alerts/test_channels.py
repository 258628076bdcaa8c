"""Each channel against a real receiver: a webhook, a mail server with STARTTLS, a PDS that passes on to a chat service."""

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from fastapi import FastAPI, Request, Response

from backend.adapters.notice import Notice, channels, deliver
from backend.api.serving import serving
from backend.errors import InvalidInput, Misconfigured, Refused, Unavailable
from tests.conftest import set_environment
from tests.domains.alerts.receivers import NAME, PASSWORD, Chat, Mailbox, _Nothing, chat_service, mail_server
from tests.network.server import NetworkServer
from tests.servers import free_port

NOTICE = Notice(
    "dead:x:1", "trouble.opened", "Backline, 3 dead\nletters", "3 runs <died> & more", {"subject": "dead:x"}
)
KEY = base64.b64encode(b"k" * 32).decode()


class Hook:
    """What a webhook was sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.app = FastAPI()
        self.app.state.closing = _Nothing()

        @self.app.post("/hook")
        async def take(request: Request) -> Response:
            self.asked.append((dict(request.headers), await request.body()))
            return Response(status_code=self.status)


@pytest.fixture
async def hook(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hook]:
    made = Hook()
    async with serving(made.app) as url:
        set_environment(monkeypatch, NOTICE_URL=f"{url}/hook")
        yield made


async def test_a_webhook_gets_it_signed(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, NOTICE_SECRET=f"whsec_{KEY}")
    assert channels() == ["webhook"]
    assert await deliver("webhook", NOTICE)
    ((headers, body),) = hook.asked
    said = json.loads(body)
    assert (said["id"], said["event"], said["subject"]) == ("dead:x:1", "trouble.opened", "dead:x")
    assert "&lt;died&gt; &amp; more" in said["text"]
    assert "<died> & more" in said["content"]
    # As a receiver checks it: https://github.com/standard-webhooks/standard-webhooks
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(KEY), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-id"] == "dead:x:1"


async def test_without_a_secret_it_is_not_signed_and_errors_are_ours(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver("webhook", NOTICE)
    assert "webhook-signature" not in hook.asked[0][0]
    for status, kind in ((503, Unavailable), (404, Refused), (401, Misconfigured)):
        hook.status = status
        with pytest.raises(kind):
            await deliver("webhook", NOTICE)
    set_environment(monkeypatch, NOTICE_SECRET="whsec_!")
    with pytest.raises(Misconfigured, match="base64"):
        await deliver("webhook", NOTICE)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Whose certificates this test trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def mailbox(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with mail_server(context) as box:
        set_environment(
            monkeypatch, SMTP_URL=f"smtp://{NAME}:p%40ss%20word@localhost:{box.port}",
            NOTICE_MAIL="ops@example.com, night@example.com", NOTICE_MAIL_FROM="crew@example.com",
        )  # fmt: skip
        yield box


async def test_a_mail_goes_out_over_starttls(mailbox: Mailbox) -> None:
    assert PASSWORD == "p@ss word"
    assert channels() == ["mail"]
    for _ in range(2):
        assert await deliver("mail", NOTICE)
    mail, again = mailbox.mails
    assert mailbox.encrypted == [True, True]
    assert mail["subject"] == "Backline, 3 dead letters"
    assert (str(mail["to"]), str(mail["from"])) == ("ops@example.com, night@example.com", "Backline <crew@example.com>")
    assert mail.get_content().strip() == "3 runs <died> & more"
    assert mail["message-id"] == again["message-id"]
    assert mail["auto-submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("answer", "kind"), [("451 later", Unavailable), ("554 never", Refused), ("550 no such user", Refused)]
)
async def test_a_mail_that_is_refused_is_tried_again_when_the_server_says_so(
    mailbox: Mailbox, answer: str, kind: type[Exception]
) -> None:
    mailbox.answer_next = answer
    with pytest.raises(kind):
        await deliver("mail", NOTICE)
    assert await deliver("mail", NOTICE)


async def test_a_wrong_password_names_the_setting_and_says_no_secret(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, SMTP_URL=f"smtp://{NAME}:wrong-secret@localhost:{mailbox.port}")
    with pytest.raises(Misconfigured, match="SMTP_URL") as caught:
        await deliver("mail", NOTICE)
    assert "wrong-secret" not in str(caught.value)
    assert mailbox.mails == []


async def test_nothing_is_mailed_in_the_clear_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(None) as box:
        set_environment(monkeypatch, SMTP_URL=f"smtp://localhost:{box.port}", NOTICE_MAIL="ops@example.com")
        with pytest.raises(Misconfigured, match="STARTTLS"):
            await deliver("mail", NOTICE)
        set_environment(monkeypatch, SMTP_URL=f"smtp://localhost:{box.port}?starttls=no")
        assert await deliver("mail", NOTICE)
    assert box.encrypted == [False]


async def test_a_certificate_of_a_stranger_is_refused(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Refused, match="certificate"):
        await deliver("mail", NOTICE)


async def test_a_mail_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SMTP_URL=f"smtp://localhost:{free_port()}", NOTICE_MAIL="ops@example.com")
    with pytest.raises(Unavailable):
        await deliver("mail", NOTICE)


@pytest.fixture
async def chat(network: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chat]:
    """A chat service, to which the real PDS leads. alice writes to bob."""
    async with chat_service() as made:
        set_environment(
            monkeypatch, ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1",
            NOTICE_ACCOUNT="alice.test", NOTICE_DID="bob.test", NOTICE_CHAT=made.service,
            NOTICE_ACCOUNT_PASSWORD=network.app_password(network.alice, privileged=True),
        )  # fmt: skip
        yield made


async def test_a_direct_message_goes_through_the_accounts_own_server(chat: Chat, network: NetworkServer) -> None:
    assert channels() == ["chat"]
    assert await deliver("chat", NOTICE)
    assert chat.messages == ["Backline, 3 dead\nletters\n\n3 runs <died> & more"]
    (_, asked, claims), (method, body, _) = chat.asked
    assert asked == {"members": [network.bob.did]}
    assert body["convoId"] == f"convo-with-{network.bob.did}"
    # The PDS vouches for the account, for this one call.
    assert (claims["iss"], claims["lxm"]) == (network.alice.did, "chat.bsky.convo.getConvoForMembers")
    assert method == "chat.bsky.convo.sendMessage"


async def test_a_long_message_is_cut(chat: Chat) -> None:
    await deliver("chat", Notice("1", "e", "t", "x" * 5000))
    assert len(chat.messages[0]) == 1000


async def test_a_password_that_may_not_write_messages_names_the_setting(
    chat: Chat, network: NetworkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, NOTICE_ACCOUNT_PASSWORD=network.app_password(network.alice))
    with pytest.raises(Misconfigured, match="may send no direct messages"):
        await deliver("chat", NOTICE)
    set_environment(monkeypatch, NOTICE_ACCOUNT_PASSWORD="abcd-abcd-abcd-abcd")
    with pytest.raises(Misconfigured, match=r"alice\.test is refused"):
        await deliver("chat", NOTICE)
    assert chat.asked == []


async def test_a_channel_that_is_not_set_sends_nothing() -> None:
    assert channels() == []
    assert await deliver("mail", NOTICE) is False
    with pytest.raises(InvalidInput, match="pigeon"):
        await deliver("pigeon", NOTICE)
