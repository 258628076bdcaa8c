"""The HTTP process."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from backend.settings.base import Section


class HttpSettings(Section):
    """Where the API listens and what it says of itself."""

    http_host: str = Field("127.0.0.1", description="Address the API listens on.")
    http_port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)] = Field(
        "INFO", description="Lowest level that is logged."
    )
    sse_keepalive_s: float = Field(
        15.0, gt=0, description="Seconds between two comments that keep an event stream open."
    )
