"""The desk's own style and script, and what stands in the head of every page."""

from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

FILES = Path(__file__).parent / "files"


def _edition() -> str:
    return sha256(b"\0".join(file.read_bytes() for file in sorted(FILES.iterdir()))).hexdigest()[:12]


# The theme is set before anything is drawn, so that a dark page does not flash.
HEAD = Markup(
    '<script>document.documentElement.dataset.theme = localStorage.getItem("desk-theme") || "system";</script>'
    '<link rel="stylesheet" href="/desk/files/desk.css?{0}"><script src="/desk/files/desk.js?{0}" defer></script>'
).format(_edition())
