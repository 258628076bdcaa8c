"""What all sections share: where they read from, and that a stranger's variable is no error."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """One room's settings. Field names are the environment variables, in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)
