"""An account's own server, called in its name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from backend.adapters.outbound import Outbound, outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.domains.federation.tokens import Credentials, credentials_of, give_up, refreshed
from backend.errors import BadAnswer, Refused

SCOPE_MISSING = "ScopeMissingError"

Call = Callable[[Xrpc], Awaitable[dict[str, Any]]]


class Pds:
    """Calls the server, and fetches new tokens when the old ones are refused. Get one with `pds_of(did)`."""

    def __init__(self, http: Outbound, credentials: Credentials) -> None:
        self.did = credentials.did
        self._http = http
        self._credentials = credentials

    async def query(self, method: str, **params: str) -> dict[str, Any]:
        """Ask. Raises AuthExpired when the account must sign in again, RateLimited, Unavailable, Refused."""
        return await self._call(lambda server: server.query(method, **params))

    async def procedure(self, method: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Change something. Raises the same."""
        return await self._call(lambda server: server.procedure(method, body))

    async def must_be_active(self) -> None:
        """Raise AuthExpired when the account is deactivated or kept out. Who reads its records is not told so."""
        session = await self.query("com.atproto.server.getSession")
        if session.get("active") is False:
            raise await give_up(
                self._credentials, f"the account is {session.get('status') or 'not active'}", taken=True
            )

    async def upload_blob(self, mime: str, size: int, content: Callable[[], AsyncIterator[bytes]]) -> dict[str, Any]:
        """Send a blob, and get what a record says of it. Without a record that does it is soon gone.

        Raises the same, TooLarge when the server takes less, and BadAnswer.
        """
        made = await self._call(lambda server: server.upload("com.atproto.repo.uploadBlob", mime, size, content))
        if not isinstance(blob := made.get("blob"), dict):
            raise BadAnswer("the server said nothing of the blob that it was sent")
        return blob

    async def _call(self, call: Call) -> dict[str, Any]:
        try:
            return await self._ask(call)
        except TokenRefused:
            self._credentials = await refreshed(self._credentials)
        try:
            return await self._ask(call)
        except TokenRefused as error:
            # Fresh tokens are refused too: the account is deactivated, or kept out.
            raise await give_up(self._credentials, error.detail) from None

    async def _ask(self, call: Call) -> dict[str, Any]:
        tokens = self._credentials.tokens
        key = tokens.grant.key if tokens.grant else None
        try:
            return await call(Xrpc(self._http, self._credentials.pds_url, tokens.access, key))
        except Refused as error:
            if error.name != SCOPE_MISSING:
                raise
            # The sign-in is older than this kind of record. A new one asks for it.
            raise await give_up(self._credentials, error.detail, taken=True) from None


@asynccontextmanager
async def pds_of(did: str) -> AsyncIterator[Pds]:
    """The server of an account that signed in here. Raises AuthExpired, which parks a run, when it did not."""
    credentials = await credentials_of(did)
    async with outbound() as http:
        yield Pds(http, credentials)
