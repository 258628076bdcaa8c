"""The AT Protocol network, and how this platform calls servers that strangers name."""

import re

from pydantic import Field, field_validator

from backend.settings.base import Section


class NetworkSettings(Section):
    """Where identities are looked up, and whom the platform calls."""

    atproto_plc_url: str = Field("https://plc.directory", description="Directory in which did:plc is looked up.")
    atproto_handle_url: str | None = Field(
        None,
        description="Server that is asked for handles. Unset: DNS, then the handle's own website, as the protocol says.",
    )
    nsid_authority: str = Field(
        "fm.backline", description="Under whose name our records stand: a domain of yours, turned round."
    )
    outbound_private: bool = Field(
        False, description="Whether plain http, private addresses and .test handles are allowed. For development only."
    )
    outbound_timeout_s: float = Field(
        20.0, gt=0, le=600, description="Seconds another server may take for a whole answer."
    )

    @field_validator("nsid_authority")
    @classmethod
    def _turned_domain(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})+", value) or len(value) > 200:
            raise ValueError("must be a domain turned round, in small letters, such as com.example")
        return value

    @field_validator("atproto_plc_url", "atproto_handle_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value.rstrip("/") if value else value
