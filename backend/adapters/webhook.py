"""A webhook of the operator's, signed as https://www.standardwebhooks.com says."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

from backend.adapters.services import check, chosen_service
from backend.errors import Misconfigured
from backend.settings.alerts import AlertSettings

PREFIX = "whsec_"


async def post(settings: AlertSettings, notice_id: str, body: dict[str, Any]) -> None:
    """Post the body to NOTICE_URL, signed when there is a NOTICE_SECRET.

    Raises Misconfigured when there is no NOTICE_URL, and what `check` raises.
    """
    if settings.notice_url is None:
        raise Misconfigured("there is no address for notices: set NOTICE_URL", field="NOTICE_URL")
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if settings.notice_secret is not None:
        headers |= signed(settings.notice_secret.get_secret_value(), notice_id, int(time.time()), content)
    async with chosen_service() as http:
        answer = await http.fetch("POST", settings.notice_url.get_secret_value(), headers=headers, content=content)
    check(answer, "the address for notices", "NOTICE_URL")


def signed(secret: str, notice_id: str, at: int, content: bytes) -> dict[str, str]:
    """The headers that prove who sent this, and when (Unix time). Raises Misconfigured for a secret that is no base64."""
    said = f"{notice_id}.{at}.".encode() + content
    digest = hmac.new(_key(secret), said, hashlib.sha256).digest()
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise Misconfigured(
            "what follows whsec_ in NOTICE_SECRET must be base64: `openssl rand -base64 32` makes some",
            field="NOTICE_SECRET",
        ) from None
