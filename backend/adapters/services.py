"""Calls to services that the operator chose: their answers as ours, their refusals as our errors."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from backend.adapters.outbound import Answer, Outbound, outbound
from backend.adapters.xrpc import retry_after
from backend.errors import Misconfigured, RateLimited, Refused, Unavailable
from backend.settings import get_settings

ANSWER_LIMIT = 16_000_000
SAID_LIMIT = 300
_BLOCK = 256 * 1024
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")


@asynccontextmanager
async def chosen_service() -> AsyncIterator[Outbound]:
    """A client for addresses that stand in the settings, also private ones, with SERVICE_TIMEOUT_S of patience.

    What such a service names in its answers is a stranger's address: fetch it with `outbound()`.
    """
    settings = get_settings()
    patience = {"outbound_private": True, "outbound_timeout_s": settings.services.service_timeout_s}
    async with outbound(settings.network.model_copy(update=patience)) as http:
        yield http


def check(answer: Answer, who: str, token: str) -> Answer:
    """The answer, if it is one. `token` names the setting that a refused token stands in.

    Raises RateLimited, Unavailable, Misconfigured when the token is refused, Refused for anything else.
    """
    if answer.status < 300:
        return answer
    said = quoted(answer.body.decode("utf-8", "replace"))
    words = f"{who} answered {answer.status}{f': {said}' if said else ''}"
    if answer.status == 429:
        raise RateLimited(words, after=retry_after(answer.headers))
    if answer.status in (408, 425) or answer.status >= 500:
        raise Unavailable(words, after=retry_after(answer.headers))
    if answer.status in (401, 403):
        raise Misconfigured(f"{who} refuses our token: set {token}", field=token)
    raise Refused(words)


def quoted(said: str) -> str:
    """The beginning of what a service said, fit for a log: a link's query is left out, for it may be what opens it."""
    return _QUERY.sub(r"\1?…", said)[:SAID_LIMIT]


def form(fields: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Fields as a form: the headers and the body (application/x-www-form-urlencoded)."""
    return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields).encode()


def upload_form(
    fields: Mapping[str, str], name: str, file: Path, mime: str = "application/octet-stream"
) -> tuple[dict[str, str], AsyncIterator[bytes]]:
    """Fields and a file as a form: the headers and the body, which is read while it is sent (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="{name}"; filename="{file.name}"\r\nContent-Type: {mime}\r\n\r\n'
    opening = f"{''.join(parts)}--{boundary}\r\n{head}".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return headers, _sent(opening, file, f"\r\n--{boundary}--\r\n".encode())


async def _sent(opening: bytes, file: Path, closing: bytes) -> AsyncIterator[bytes]:
    yield opening
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            yield block
    yield closing
