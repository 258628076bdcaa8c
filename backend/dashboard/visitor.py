"""Who looks at the desk, and what they may do there."""

from dataclasses import dataclass

from fastapi import Request

from backend._internal.sign_in_cookie import COOKIE
from backend.domains.federation.sign_ins import Role, find_sign_in
from backend.errors import Forbidden, SignInRequired
from backend.settings import Settings


@dataclass(frozen=True)
class Visitor:
    """Somebody at the desk. `did` is None where nobody signs in, because only this machine reaches Backline."""

    did: str | None
    role: Role
    token: str | None = None

    @property
    def name(self) -> str:
        """Who they are, for people."""
        return self.did or "anyone on this machine"

    @property
    def acts(self) -> bool:
        """Whether they may change anything."""
        return self.role.covers(Role.OPERATOR)

    async def still_signed_in(self) -> bool:
        """Whether their sign-in still holds, if they needed one."""
        return self.token is None or await find_sign_in(self.token) is not None

    async def must_act(self) -> None:
        """Raise Forbidden unless they may change things, and SignInRequired when their sign-in has ended meanwhile."""
        if not await self.still_signed_in():
            raise SignInRequired("this sign-in has ended: sign in again")
        if not self.acts:
            raise Forbidden(f"this needs the role operator, and you are signed in as {self.role}")


async def visitor_of(request: Request, settings: Settings) -> Visitor:
    """Who sent this request. Raises SignInRequired, and Forbidden for artists."""
    token = request.cookies.get(COOKIE)
    found = await find_sign_in(token) if token else None
    if not settings.http.closed:
        return Visitor(found.did if found else None, Role.ADMIN)
    if found is None:
        raise SignInRequired("this sign-in has ended: sign in again" if token else "sign in first")
    if not found.role.covers(Role.VIEWER):
        raise Forbidden(f"the desk is for viewers, operators and admins, and this token is of an {found.role}")
    return Visitor(found.did, found.role, token)
