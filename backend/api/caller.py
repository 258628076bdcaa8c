"""Who calls: read from a bearer token or from the sign-in cookie, and what they may touch."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from backend.api.state import AppSettings
from backend.domains.federation.sign_ins import Role, find_sign_in
from backend.domains.media.access import NOBODY, Person, must_own
from backend.errors import Forbidden, SignInRequired
from backend.settings import Settings

COOKIE = "backline_sign_in"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Caller:
    """An account that is signed in."""

    did: str
    role: Role

    def must_own(self, did: str | None) -> None:
        """Raise Forbidden unless the thing is theirs, or they are an admin."""
        must_own(self.person, did)

    @property
    def person(self) -> Person:
        """The caller as the media rooms know them."""
        return Person(self.did, self.role.covers(Role.ADMIN))

    def must_be(self, role: Role) -> None:
        """Raise Forbidden unless they have this role, or one above it."""
        if not self.role.covers(role):
            raise Forbidden(f"this needs the role {role}")


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


async def _caller(request: Request) -> Caller | None:
    token = token_of(request)
    if token is None:
        return None
    found = await find_sign_in(token)
    if found is None:
        # A token that does not hold is not the same as none: its owner believes to be signed in.
        raise SignInRequired("this sign-in has ended: sign in again")
    return Caller(found.did, found.role)


MaybeCaller = Annotated[Caller | None, Depends(_caller)]
"""Who calls, or None for anybody."""


def person_of(caller: Caller | None) -> Person:
    """Who calls, as the media rooms know them; also nobody."""
    return caller.person if caller else NOBODY


async def _signed_in(caller: MaybeCaller) -> Caller:
    if caller is None:
        raise SignInRequired("sign in: send Authorization: Bearer TOKEN, or the sign-in cookie")
    return caller


SignedIn = Annotated[Caller, Depends(_signed_in)]
"""Who calls. Anybody else gets a 401."""


def needs(role: Role) -> Any:
    """A route's dependency: a caller with this role, or anybody at all where Backline is not closed.

    Raises SignInRequired and Forbidden.
    """

    async def check(caller: MaybeCaller, settings: AppSettings) -> None:
        if settings.http.closed:
            (await _signed_in(caller)).must_be(role)

    return Depends(check)


UPLOADS, LOOKS, ACTS = needs(Role.ARTIST), needs(Role.VIEWER), needs(Role.OPERATOR)
REFUSED = (401, 403)  # what those answer
