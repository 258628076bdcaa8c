"""People who sign in."""

from pydantic import Field

from backend.settings.base import Section


class AccountSettings(Section):
    """How long who is known."""

    sign_in_days: int = Field(30, ge=1, le=365, description="Days until somebody must sign in again.")
