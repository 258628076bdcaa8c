"""A notice for the operator, and the channels it can go through."""

import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from backend.adapters import chat, mail, webhook
from backend.errors import InvalidInput
from backend.settings import get_settings
from backend.settings.alerts import AlertSettings

DISCORD_LIMIT = 2000


@dataclass(frozen=True)
class Notice:
    """What an operator should know. `id` is the same in a repeat, so that a receiver can tell; `data` is for programs."""

    id: str
    event: str  # what kind it is, such as copyright.flagged
    title: str  # one line
    text: str
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the arguments of a run."""
        return dict(vars(self))


async def _to_webhook(notice: Notice, settings: AlertSettings) -> None:
    said = f"{notice.title}\n{notice.text}" if notice.text != notice.title else notice.text
    body = {
        "id": notice.id,
        "event": notice.event,
        **notice.data,
        "title": notice.title,
        "text": html.escape(said, quote=False),  # what Slack shows
        "content": said[:DISCORD_LIMIT],  # what Discord shows
        "allowed_mentions": {"parse": []},  # a title with @everyone calls nobody
    }
    await webhook.post(settings, notice.id, body)


async def _to_mail(notice: Notice, settings: AlertSettings) -> None:
    await mail.send(settings, notice.id, notice.title, notice.text)


async def _to_chat(notice: Notice, settings: AlertSettings) -> None:
    await chat.send(settings, f"{notice.title}\n\n{notice.text}" if notice.text != notice.title else notice.text)


_CHANNELS: dict[str, Callable[[Notice, AlertSettings], Awaitable[None]]] = {
    "webhook": _to_webhook,
    "mail": _to_mail,
    "chat": _to_chat,
}


def channels() -> list[str]:
    """The channels that the settings name: `webhook`, `mail`, `chat`."""
    settings = get_settings().alerts
    chosen = {"webhook": settings.notice_url, "mail": settings.notice_mail, "chat": settings.notice_did}
    return [name for name, value in chosen.items() if value]


async def deliver(channel: str, notice: Notice) -> bool:
    """Send it. Returns whether the settings still name the channel; nothing is sent where they do not.

    Raises InvalidInput for what is no channel, and what the channel raises: Unavailable, RateLimited, Refused, Misconfigured.
    """
    if channel not in _CHANNELS:
        raise InvalidInput(f"no channel {channel!r}; channels are {', '.join(_CHANNELS)}", field="channel")
    if channel not in channels():
        return False
    await _CHANNELS[channel](notice, get_settings().alerts)
    return True
