"""Direct messages on the AT Protocol: the account's own server passes the calls on to the chat service.

https://atproto.com/specs/xrpc#service-proxying and the lexicons under `chat.bsky.convo`.
"""

from contextlib import suppress
from typing import Any

from backend.adapters.identity import Identities, Identity
from backend.adapters.outbound import Outbound, outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.errors import BadAnswer, Misconfigured, Refused, Unavailable
from backend.settings import get_settings
from backend.settings.alerts import AlertSettings

TEXT_LIMIT = 1000  # graphemes, says the lexicon; characters are never fewer


async def send(settings: AlertSettings, text: str) -> None:
    """Write to NOTICE_DID from NOTICE_ACCOUNT, in their conversation, which is made when there is none.

    Raises Misconfigured when the account, its password or its rights are missing, Refused when the other one takes no
    messages, NotFound, Unavailable, RateLimited.
    """
    account, password = settings.notice_account, settings.notice_account_password
    if settings.notice_did is None or account is None or password is None:
        raise Misconfigured(
            "direct messages need NOTICE_DID, NOTICE_ACCOUNT and NOTICE_ACCOUNT_PASSWORD", field="NOTICE_ACCOUNT"
        )
    async with outbound() as http:
        identities = Identities(http, get_settings().network)
        sender, receiver = await identities.find(account), await identities.find(settings.notice_did)
        tokens = await _open_session(http, sender, password.get_secret_value())
        try:
            await _write(
                Xrpc(http, sender.pds_url, tokens["accessJwt"], proxy=settings.notice_chat), receiver.did, text
            )
        finally:
            await _close_session(Xrpc(http, sender.pds_url, tokens["refreshJwt"]))


async def _open_session(http: Outbound, sender: Identity, password: str) -> dict[str, Any]:
    body = {"identifier": sender.did, "password": password}
    try:
        made = await Xrpc(http, sender.pds_url).procedure("com.atproto.server.createSession", body)
    except TokenRefused:
        raise Misconfigured(
            f"{sender.handle} is refused: set NOTICE_ACCOUNT_PASSWORD to an app password of it",
            field="NOTICE_ACCOUNT_PASSWORD",
        ) from None
    if not isinstance(made.get("accessJwt"), str) or not isinstance(made.get("refreshJwt"), str):
        raise BadAnswer(f"{sender.pds_url} opened no session of {sender.did}")
    return made


async def _close_session(server: Xrpc) -> None:
    with suppress(Refused, Unavailable):  # it ends by itself
        await server.procedure("com.atproto.server.deleteSession")


async def _write(service: Xrpc, did: str, text: str) -> None:
    try:
        found = await service.query("chat.bsky.convo.getConvoForMembers", members=did)
        convo = found.get("convo")
        if not isinstance(convo, dict) or not isinstance(convo.get("id"), str):
            raise BadAnswer("the chat service names no conversation")
        said = text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
        await service.procedure("chat.bsky.convo.sendMessage", {"convoId": convo["id"], "message": {"text": said}})
    except TokenRefused as error:
        raise Misconfigured(
            f"the account of NOTICE_ACCOUNT may send no direct messages: {error.detail}; make an app password that may",
            field="NOTICE_ACCOUNT_PASSWORD",
        ) from None
