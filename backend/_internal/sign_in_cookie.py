"""The sign-in cookie: read from a request, given to a browser, and believed only when one of our own pages sent it."""

from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers

from backend.errors import Forbidden
from backend.settings import Settings

COOKIE = "backline_sign_in"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def token_of(request: Request) -> str | None:
    """The token that a request carries: `Authorization: Bearer` first, then the cookie.

    Raises Forbidden when a cookie would change something and the request may come from another site: the browser adds
    the cookie to those as well.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        must_be_same_site(request)
    return cookie


def must_be_same_site(request: Request) -> None:
    """Raise Forbidden unless the request changes nothing, or a browser says that one of our own pages sent it."""
    if request.method in SAFE_METHODS:
        return
    sent_from = request.headers.get("sec-fetch-site")
    if sent_from is not None:
        ours = sent_from in ("same-origin", "none")
    else:
        # Browsers that do not send the first send the second.
        ours = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    if not ours:
        raise Forbidden("another site sent this with your cookie: it is refused. Programs send a bearer token instead")


def opened_here(headers: Headers) -> bool:
    """Whether no browser opened this socket from another site's page: it adds the cookie to those as well."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def sign_in_lifetime(settings: Settings) -> timedelta:
    """How long a browser keeps the sign-in cookie."""
    return timedelta(days=settings.accounts.sign_in_days)


def give_cookie(response: Response, name: str, value: str, lifetime: timedelta, settings: Settings) -> None:
    """Let the browser keep something that scripts cannot read, and that it sends to nobody but us."""
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        secure=settings.accounts.sign_in_cookie_secure,
        samesite="lax",
    )
