"""Paid services and servers of the operator's choice, which look at tracks."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from backend.settings.base import Section

EFFNET_DISCOGS = "1532dd069fb4f0e27c6833e28815f6b8c194dfec76fd9cd73460540fd720ffe1"


class ServiceSettings(Section):
    """Services outside that look at tracks. Without its token a service is not asked."""

    audd_token: SecretStr | None = Field(None, description="AuDD's token. Unset: nothing is scanned for copyright.")
    audd_url: str = Field("https://enterprise.audd.io/", description="Where AuDD's enterprise endpoint is.")
    copyright_dominant_percent: float = Field(
        30.0, gt=0, le=100, description="A song with this share of all matches flags a track, in percent."
    )
    copyright_positions: int = Field(3, ge=1, description="A song found at this many places flags a track.")
    labeler_url: str | None = Field(None, description="Labeler that settles flags. Unset: none is asked.")
    labeler_dids: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="DIDs whose labels count, with commas. Unset: everyone that the labeler speaks for."
    )
    replicate_token: SecretStr | None = Field(None, description="Replicate's token. Unset: no genres are classified.")
    replicate_url: str = Field("https://api.replicate.com/v1", description="Where Replicate's API is.")
    genre_model: str = Field(EFFNET_DISCOGS, description="Replicate's version id of the genre model, effnet-discogs.")
    service_timeout_s: float = Field(300.0, gt=0, le=3600, description="Seconds one of these may take for an answer.")

    @field_validator("audd_url", "labeler_url", "replicate_url")
    @classmethod
    def _is_url(cls, value: object) -> object:
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(plain, str) and not plain.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    @field_validator("labeler_dids", mode="before")
    @classmethod
    def _read_dids(cls, value: object) -> object:
        dids = [each.strip() for each in value.split(",")] if isinstance(value, str) else value
        if isinstance(dids, list) and (wrong := [each for each in dids if not each.startswith("did:")]):
            raise ValueError(f"write DIDs with commas between them; {wrong[0]!r} is none")
        return dids
