"""What is compared, and where one system lives for one measurement."""

import os
from dataclasses import dataclass
from pathlib import Path

from backend.settings import SECTIONS
from benchmarks.workload import LOG_VARIABLE

STOCK, ENGINE, POSTGRESQL, SQLITE = "stock", "engine", "postgresql", "sqlite"
TITLES = {
    STOCK: "stock pydocket",
    ENGINE: "our worker, no ledger",
    POSTGRESQL: "our runner, PostgreSQL ledger",
    SQLITE: "our runner, SQLite ledger",
}
STOCK_OPTIONS = "max_connections=1000&protocol=2"


@dataclass(frozen=True)
class System:
    """One row of the table."""

    kind: str
    concurrency: int

    @property
    def name(self) -> str:
        """For JSON and logs, such as `stock-10`."""
        return f"{self.kind}-{self.concurrency}"

    @property
    def title(self) -> str:
        """For people."""
        return TITLES[self.kind]

    @property
    def has_ledger(self) -> bool:
        """Whether its runs are rows of a database."""
        return self.kind in (POSTGRESQL, SQLITE)


SYSTEMS = [System(kind, concurrency) for kind in TITLES for concurrency in (10, 100)]


@dataclass(frozen=True)
class Site:
    """The servers and files of one measurement. All of them are fresh."""

    system: System
    directory: Path
    redis_url: str
    database_url: str | None
    docket_name: str

    @property
    def log(self) -> Path:
        """Where starts are noted."""
        return self.directory / "starts"

    @property
    def url(self) -> str:
        """The Redis URL as this system wants it."""
        return f"{self.redis_url}?{STOCK_OPTIONS}" if self.system.kind == STOCK else self.redis_url

    def environment(self) -> dict[str, str]:
        """Every setting of a system's process. Nothing comes from outside."""
        ours = {name.upper() for section in SECTIONS for name in section.model_fields}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return {
            **kept,
            LOG_VARIABLE: str(self.log),
            "DATA_DIR": str(self.directory),
            "DATABASE_URL": self.database_url or "",
            "DOCKET_URL": self.url,
            "DOCKET_NAME": self.docket_name,
            "DOCKET_WORKER_CONCURRENCY": str(self.system.concurrency),
        }
