"""The HTTP process."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from backend.settings.base import Section


class HttpSettings(Section):
    """Where the API listens and what it says of itself."""

    http_host: str = Field("127.0.0.1", description="Address the API listens on.")
    http_port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    http_public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Under which URL others reach the API; it stands in published records, and is who we are for OAuth.",
    )
    feature_require_auth: bool | None = Field(
        None,
        description="Whether operators' routes and uploads need a sign-in. Unset: yes, unless HTTP_HOST is this machine alone.",
    )
    feature_rate_limiting: bool = Field(False, description="Whether one caller may ask only so often; then 429.")
    rate_limit_requests: int = Field(60, ge=1, description="Requests of one caller in RATE_LIMIT_WINDOW_S.")
    rate_limit_window_s: int = Field(60, ge=1, le=86_400, description="Seconds that RATE_LIMIT_REQUESTS counts for.")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which a worker without the API answers /metrics and /health, on HTTP_HOST. Unset: it does not.",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)] = Field(
        "INFO", description="Lowest level that is logged."
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(str.lower)] = Field(
        "console", description="How lines are logged: `console` for people, `json` for programs, one object a line."
    )
    sse_keepalive_s: float = Field(
        15.0, gt=0, description="Seconds between two comments that keep an event stream open."
    )
    player_origins: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Other sites whose players may fetch tracks, as origins with commas; `*` for any."
    )

    @property
    def closed(self) -> bool:
        """Whether strangers are kept out of what operators see and do."""
        if self.feature_require_auth is not None:
            return self.feature_require_auth
        return not self.here_only

    @property
    def here_only(self) -> bool:
        """Whether only this machine can reach the API, as in development."""
        return self.http_host == "localhost" or _is_loopback(self.http_host)

    @field_validator("http_public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value.rstrip("/")

    @field_validator("player_origins", mode="before")
    @classmethod
    def _read_origins(cls, value: object) -> object:
        origins = [each.strip() for each in value.split(",")] if isinstance(value, str) else value
        if isinstance(origins, list):
            wrong = [each for each in origins if each != "*" and not re.fullmatch(r"https?://[^/\s?#]+", each)]
            if wrong:
                raise ValueError(f"write origins like https://radio.example with commas between; {wrong[0]!r} is none")
        return origins


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
