"""People who sign in."""

from pydantic import Field, SecretStr, field_validator

from backend.settings.base import Section

SHORTEST_KEY = 32


class AccountSettings(Section):
    """How long who is known, and what their credentials are encrypted with."""

    sign_in_days: int = Field(30, ge=1, le=365, description="Days until somebody must sign in again.")
    sign_in_attempts: int = Field(
        10, ge=1, description="Sign-ins that may be tried for one name, or from one address, in SIGN_IN_WINDOW_S."
    )
    sign_in_window_s: float = Field(
        300.0, gt=0, le=86_400, description="Seconds after which a tried sign-in is forgotten."
    )
    sign_in_cookie_secure: bool = Field(True, description="Whether the sign-in cookie is sent over https only.")
    account_keys: SecretStr | None = Field(
        None,
        description="Secrets that encrypt credentials, newest first, separated by commas. Unset: one is made and kept in "
        "the data directory.",
    )
    oauth_keys: SecretStr | None = Field(
        None,
        description="Secrets that prove to authorization servers who this platform is, newest first, separated by commas. "
        "Unset: it proves nothing, and they end its sign-ins with OAuth after about two weeks.",
    )

    @field_validator("account_keys", "oauth_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key) < SHORTEST_KEY for key in split_keys(value)):
            raise ValueError(f"each key needs at least {SHORTEST_KEY} characters; `openssl rand -hex 32` makes one")
        return value


def split_keys(value: SecretStr) -> list[str]:
    """Each of the keys."""
    return [key.strip() for key in value.get_secret_value().split(",")]
