"""`python -m tests.cli.picture`: docs/images/demo.svg, from a real run of the demo in a terminal."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGE = Path(__file__).parent.parent.parent / "docs" / "images" / "demo.svg"
WIDTH = 112
DEMO = [sys.executable, "-m", "backend.cli", "demo", "--once"]


def recorded() -> str:
    """What the demo prints once it is through, colours and all. Its progress bars are gone by then."""
    ours, theirs = pty.openpty()
    terminal = {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(DEMO, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, **terminal}) as process:
        os.close(theirs)
        said = b""
        while piece := _read(ours):
            said += piece
    os.close(ours)
    if process.returncode != 0:
        sys.exit(f"the demo ended with {process.returncode}: run `backline demo --once`")
    return said.decode().replace("\r\n", "\n").strip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def main() -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "dim"), ("uv run backline demo --once", "bold")), end="\n\n")
    console.print(Text.from_ansi(recorded()))
    console.save_svg(str(IMAGE), title="Backline")
    print(f"{IMAGE.name}: {IMAGE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
