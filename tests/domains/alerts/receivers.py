"""Real receivers of notices: a mail server with STARTTLS, and a chat service that the real PDS passes calls on to."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from backend.api.serving import serving
from tests.servers import free_port

NAME, PASSWORD = "crew", "p@ss word"


@dataclass
class Mailbox:
    """What a mail server took. `answer_next` is said instead of taking the next mail."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answer_next: str | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        """aiosmtpd calls this for each mail."""
        if self.answer_next is not None:
            said, self.answer_next = self.answer_next, None
            return said
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


@contextmanager
def mail_server(context: ssl.SSLContext | None) -> Iterator[Mailbox]:
    """A mail server on this machine. With `context` it takes mail over STARTTLS only, from who knows the password."""
    box = Mailbox(free_port())

    def knows(server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        return AuthResult(success=(login.login.decode(), login.password.decode()) == (NAME, PASSWORD), handled=False)

    controller = Controller(
        box,
        hostname="localhost",
        port=box.port,
        tls_context=context,
        require_starttls=context is not None,
        authenticator=knows if context else None,
        auth_required=context is not None,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Chat:
    """What a chat service was asked, with the claims of the PDS that asked for an account."""

    port: int = 0
    asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    @property
    def service(self) -> str:
        """Its name for `atproto-proxy`."""
        return f"did:web:localhost%3A{self.port}#bsky_chat"

    @property
    def messages(self) -> list[str]:
        """What was written."""
        return [body["message"]["text"] for method, body, _ in self.asked if method.endswith("sendMessage")]


@asynccontextmanager
async def chat_service() -> AsyncIterator[Chat]:
    """A service of the network that takes direct messages, as its DID document says."""
    chat, app = Chat(free_port()), FastAPI(lifespan=None)
    app.state.closing = _Nothing()

    @app.get("/.well-known/did.json")
    async def document() -> dict[str, object]:
        endpoint = {"id": "#bsky_chat", "type": "BskyChatService", "serviceEndpoint": f"http://localhost:{chat.port}"}
        return {"id": f"did:web:localhost%3A{chat.port}", "service": [endpoint]}

    @app.get("/xrpc/chat.bsky.convo.getConvoForMembers")
    async def convo(request: Request) -> JSONResponse:
        members = request.query_params.getlist("members")
        chat.asked.append(("chat.bsky.convo.getConvoForMembers", {"members": members}, _claims(request)))
        return JSONResponse({"convo": {"id": f"convo-with-{members[0]}", "members": []}})

    @app.post("/xrpc/chat.bsky.convo.sendMessage")
    async def send(request: Request) -> JSONResponse:
        chat.asked.append(("chat.bsky.convo.sendMessage", await request.json(), _claims(request)))
        return JSONResponse({"id": "1", "rev": "1", "text": "", "sender": {}, "sentAt": "2026-01-01T00:00:00Z"})

    async with serving(app, port=chat.port):
        yield chat


class _Nothing:
    def set(self) -> None:
        """Nobody waits for it."""


def _claims(request: Request) -> dict[str, Any]:
    payload = request.headers["authorization"].removeprefix("Bearer ").split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
