"""What people do with each other's tracks."""

from pydantic import Field

from backend.settings.base import Section


class FederationSettings(Section):
    """How much of it there may be."""

    comments_per_track: int = Field(20, ge=1, le=10_000, description="Comments that one track shows at most.")
