"""Where the ledger and the platform's rows live."""

from pathlib import Path

from pydantic import Field, SecretStr

from backend.settings.base import Section


class DatabaseSettings(Section):
    """SQLite in the data directory by default; PostgreSQL by URL."""

    data_dir: Path = Field(Path(".data"), description="Directory for everything embedded: SQLite and local objects.")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy or postgres:// URL. Unset: SQLite in the data directory."
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections each process keeps open to PostgreSQL.")
    database_pool_timeout_s: float = Field(
        30.0, gt=0, description="Seconds a caller waits for a free connection before it is told the database is busy."
    )
    database_migrate: bool | None = Field(
        None, description="Migrate at start. Unset: yes on SQLite, no on PostgreSQL (use `backline migrate`)."
    )

    @property
    def url(self) -> str:
        """The SQLAlchemy URL with its async driver."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{(self.data_dir / 'backline.db').absolute()}"
        url = self.database_url.get_secret_value()
        for plain, driver in (
            ("postgres://", "postgresql+asyncpg://"),
            ("postgresql://", "postgresql+asyncpg://"),
            ("sqlite://", "sqlite+aiosqlite://"),
        ):
            if url.startswith(plain):
                return driver + url.removeprefix(plain)
        return url
