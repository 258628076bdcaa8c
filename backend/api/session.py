"""The caller's own session: sign in with an account of the AT Protocol, see who one is, sign out."""

from typing import Literal

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from backend._internal.sign_in_cookie import COOKIE, give_cookie, must_be_same_site, sign_in_lifetime, token_of
from backend.api import session_examples as examples
from backend.api.caller import SignedIn
from backend.api.examples import shown
from backend.api.problems import problems
from backend.api.state import AppSettings
from backend.domains.federation import accounts
from backend.domains.federation.accounts import AccountView
from backend.errors import NotFound

router = APIRouter(prefix="/session", tags=["session"])


class SignInBody(BaseModel):
    """Who signs in, and how they want to be known afterwards."""

    model_config = ConfigDict(extra="forbid")

    identifier: str = Field(min_length=1, max_length=300, description="A handle or a DID.", examples=["alice.test"])
    app_password: SecretStr = Field(
        min_length=1, max_length=300, description="An app password, made at the account's own server."
    )
    by: Literal["cookie", "token"] = Field(
        "cookie", description="A cookie that scripts cannot read, for browsers; or a bearer token, for programs."
    )


class Session(BaseModel):
    """Who the caller is. `account` is null for sign-ins that were opened at the terminal."""

    did: str
    role: str
    account: AccountView | None
    token: str | None = Field(None, description="The bearer token, shown this once, when one was asked for.")


@router.post(
    "",
    summary="Sign in",
    status_code=status.HTTP_201_CREATED,
    responses={201: shown(examples.SESSION)} | problems(401, 403, 404, 422, 429, 502, 503),
)
async def sign_in(request: Request, response: Response, body: SignInBody, settings: AppSettings) -> Session:
    """Sign in with a handle or a DID and an app password. Work that waited for this sign-in goes on.

    The account's server is found from the handle and asked at once. After too many attempts there is a pause.
    """
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        must_be_same_site(request)
    address = request.client.host if request.client else "unknown"
    done = await accounts.sign_in(body.identifier, body.app_password.get_secret_value(), address)
    response.headers["Cache-Control"] = "no-store"
    by_token = body.by == "token"
    if not by_token:
        give_cookie(response, COOKIE, done.token, sign_in_lifetime(settings), settings)
    return Session(did=done.account.did, role="artist", account=done.account, token=done.token if by_token else None)


@router.get("", summary="Show who you are", responses={200: shown(examples.SESSION)} | problems(401, 503))
async def show_session(caller: SignedIn) -> Session:
    """Who the caller is. `account.state` says whether work can be done in their name, `account.reason` why not."""
    try:
        account = await accounts.get_account(caller.did)
    except NotFound:
        account = None
    return Session(did=caller.did, role=caller.role, account=account)


@router.delete("", summary="Sign out", status_code=status.HTTP_204_NO_CONTENT, responses=problems(401, 403, 503))
async def sign_out(request: Request, response: Response, caller: SignedIn) -> None:
    """End this sign-in. With an account's last one its credentials are revoked, and its work waits."""
    await accounts.sign_out(token_of(request) or "")
    response.delete_cookie(COOKIE)
