"""Where spans are kept, and where they are looked up."""

from pydantic import Field, SecretStr, field_validator

from backend.settings.base import Section


class TraceSettings(Section):
    """Spans in the data directory, and Logfire's query API. What Logfire and OpenTelemetry read themselves is not here."""

    spans_store: bool | None = Field(
        None,
        description="Whether spans are kept in the data directory. "
        "Unset: yes, where HTTP_HOST is this machine alone and spans are sent nowhere else.",
    )
    spans_store_mb: int = Field(
        100, ge=1, le=100_000, description="Megabytes of spans that are kept; the oldest go first."
    )
    spans_store_days: int = Field(7, ge=1, le=365, description="Days for which spans are kept and looked up.")
    logfire_read_token: SecretStr | None = Field(
        None,
        description="Read token of a Logfire project, which `backline spans` then asks. Unset: the data directory.",
    )
    logfire_base_url: str | None = Field(None, description="Where Logfire is. Unset: in the region of the token.")

    @field_validator("logfire_base_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value
