"""The page on which a track is heard: `/t/{id}`, and the files it is made of."""

from datetime import timedelta
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from types import MappingProxyType

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from backend.api.problems import problem
from backend.domains.media import tracks
from backend.domains.media.tracks import TrackView
from backend.errors import NotFound
from backend.storage import storage

router = APIRouter(include_in_schema=False)

PAGES = Path(__file__).parent / "pages"
TYPES = MappingProxyType({".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"})
FOREVER = f"public, max-age={int(timedelta(days=365).total_seconds())}, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {elsewhere}; "
    "media-src 'self' blob:; "  # MediaSource is attached by a blob: URL
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = MappingProxyType(
    {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


@router.get("/t/{track_id}")
async def player_page(track_id: str) -> HTMLResponse:
    """A track as people see it: processing, playable, or failed. 404 for one that is not there."""
    try:
        track = await tracks.get_track(track_id)
    except NotFound:
        return _page("missing.html", 404)
    # The segments of a gated track are fetched by signed links, from where the private bucket is.
    elsewhere = await storage().link_origin() if track.gated else None
    return _page("player.html", 200, elsewhere, **_named(track))


@router.get("/t/assets/{edition}/{name}")
async def asset(request: Request, edition: str, name: str) -> Response:
    """A style, a script or a licence of the page. Its URL changes with its content, so a browser keeps it."""
    content = _assets().get(name)
    if content is None:
        return problem(request, 404, f"the player page has no file {name!r}")
    # Between two releases one process may be asked for the other's edition: what it gives then is not kept.
    headers = {"Cache-Control": FOREVER if edition == _edition() else "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=TYPES[Path(name).suffix], headers=headers)


def _named(track: TrackView) -> dict[str, str]:
    return {"id": track.id, "title": track.title, "artist": track.artist or "Unknown artist"}


def _page(name: str, status: int, elsewhere: str | None = None, **values: str) -> HTMLResponse:
    # Everything that came from outside is escaped here, for text and for attributes alike.
    shown = {key: escape(value, quote=True) for key, value in values.items()}
    html = Template((PAGES / name).read_text()).substitute(shown, assets=f"/t/assets/{_edition()}")
    policy = POLICY.format(elsewhere=elsewhere or "").replace(" ;", ";")
    return HTMLResponse(html, status, {**SECURITY, "Content-Security-Policy": policy, "Cache-Control": "no-cache"})


@cache
def _assets() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((PAGES / "assets").iterdir()) if file.suffix in TYPES}


@cache
def _edition() -> str:
    return sha256(b"\0".join(_assets().values())).hexdigest()[:16]
