"""Runs the reader under Node on one file."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.network.install import find_node, install

HERE = Path(__file__).parent


def read_peaks(file: Path) -> dict[str, Any]:
    """What the reader sees in a `.json` or a `.dat` file. Raises NoServer, saying what to install, where Node is missing."""
    node = find_node()
    words = [str(node.program), str(HERE / "read.cjs"), str(install(node, HERE)), str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
