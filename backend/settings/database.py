"""Where the ledger and the platform's rows live."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from backend.settings.base import Section

DRIVERS = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


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

    @field_validator("database_url")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _with_driver(value.get_secret_value())
        return value

    @property
    def url(self) -> str:
        """The SQLAlchemy URL with its async driver."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{(self.data_dir / 'backline.db').absolute()}"
        return _with_driver(self.database_url.get_secret_value()).render_as_string(hide_password=False)


def _with_driver(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("is not a database URL") from None
    dialect = url.drivername.partition("+")[0]
    if url.drivername not in (*DRIVERS, *DRIVERS.values()):
        raise ValueError("must start with postgres://, postgresql:// or sqlite:///")
    if dialect == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("needs a file: connections do not share an SQLite database in memory")
    # libpq's name for it, which hosting providers write; asyncpg calls it `ssl`.
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername), query=query)
