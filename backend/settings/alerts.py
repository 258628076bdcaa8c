"""Whom the platform tells of what needs a person, and when."""

import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from backend.settings.base import Section

ADDRESS = re.compile(r"[^\s@<>,]+@[^\s@<>,]+")


class AlertSettings(Section):
    """Where notices go, and when something is a trouble. A channel that is unset is not used; any number may be set."""

    notice_url: SecretStr | None = Field(None, description="Webhook that is told, as JSON. Unset: none is.")
    notice_secret: SecretStr | None = Field(
        None, description="Key that signs what the webhook gets (Standard Webhooks). Unset: it is not signed."
    )
    notice_mail: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Mail addresses that are told, with commas; needs SMTP_URL. Unset: nobody is."
    )
    notice_mail_from: str = Field("backline@localhost", description="Whom these mails are from.")
    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server: smtp://user:password@host:587 with STARTTLS, or smtps://… on port 465. "
        "smtp://…?starttls=no for one on this machine.",
    )
    notice_did: str | None = Field(
        None, description="Handle or DID that gets a direct message; needs NOTICE_ACCOUNT. Unset: nobody does."
    )
    notice_account: str | None = Field(None, description="Handle or DID of the account that sends direct messages.")
    notice_account_password: SecretStr | None = Field(
        None, description="An app password of that account, which may send direct messages."
    )
    notice_chat: str = Field(
        "did:web:api.bsky.chat#bsky_chat", description="Service for direct messages, as `atproto-proxy` names it."
    )
    alert_silent_s: float = Field(
        600.0,
        gt=0,
        description="A queue where runs wait and nothing starts or runs for this many seconds is a trouble.",
    )
    alert_crashes: int = Field(
        3,
        ge=2,
        description="This many workers of a machine, or attempts of a task, lost in ALERT_WINDOW_S are a trouble.",
    )
    alert_window_s: float = Field(600.0, gt=0, description="Seconds in which crashes are counted.")
    alert_dead_s: float = Field(86_400.0, gt=0, description="Seconds for which a dead run is a trouble.")
    alert_repeat_s: float = Field(
        3600.0, gt=0, description="Seconds after which a trouble that goes on is told of again; never sooner."
    )

    @model_validator(mode="after")
    def _whole_channels(self) -> "AlertSettings":
        if self.notice_mail and self.smtp_url is None:
            raise ValueError("NOTICE_MAIL needs SMTP_URL")
        if self.notice_did and not (self.notice_account and self.notice_account_password):
            raise ValueError("NOTICE_DID needs NOTICE_ACCOUNT and NOTICE_ACCOUNT_PASSWORD")
        return self

    @field_validator("notice_url", "smtp_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None, info: object) -> SecretStr | None:
        schemes = ("smtp://", "smtps://") if getattr(info, "field_name", "") == "smtp_url" else ("https://", "http://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError(f"must start with {' or '.join(schemes)}")
        return value

    @field_validator("notice_mail", mode="before")
    @classmethod
    def _read_addresses(cls, value: object) -> object:
        found = tuple(each.strip() for each in value.split(",")) if isinstance(value, str) else value
        if isinstance(found, tuple) and (wrong := [each for each in found if not ADDRESS.fullmatch(each)]):
            raise ValueError(f"write mail addresses with commas between them; {wrong[0]!r} is none")
        return found
