"""What all sections share: where they read from, and that a stranger's variable is no error."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """One room's settings. Field names are the environment variables, in lower case."""

    # An empty variable is an unset one: compose files and CI hand those on.
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )
