"""Who calls: read from a bearer token or from the sign-in cookie, and what they may touch."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from backend._internal.sign_in_cookie import token_of
from backend.api.state import AppSettings
from backend.domains.federation.sign_ins import Role, find_sign_in
from backend.domains.media.access import NOBODY, Person, must_own
from backend.errors import Forbidden, SignInRequired
from backend.runtime.audit import Actor, actor


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
        if role.covers(Role.OPERATOR):
            actor.set(Actor(caller.did if caller else "anyone on this machine", "api"))

    return Depends(check)


UPLOADS, LOOKS, ACTS = needs(Role.ARTIST), needs(Role.VIEWER), needs(Role.OPERATOR)
REFUSED = (401, 403)  # what those answer
