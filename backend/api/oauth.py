"""Sign in with OAuth: begin, come back from the account's own server, and the document by which servers know us."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from backend._internal.sign_in_cookie import COOKIE, give_cookie, must_be_same_site, sign_in_lifetime
from backend.api import session_examples as examples
from backend.api.examples import shown
from backend.api.problems import problems
from backend.api.state import AppSettings
from backend.domains.federation import oauth, oauth_client
from backend.domains.federation.oauth import Arrived

BROWSER_COOKIE = "backline_oauth"

router = APIRouter(tags=["session"])


class OAuthBody(BaseModel):
    """Who signs in, and where they go on afterwards."""

    model_config = ConfigDict(extra="forbid")

    identifier: str = Field(min_length=1, max_length=300, description="A handle or a DID.", examples=["alice.test"])
    return_to: str = Field(
        "/", max_length=500, pattern=r"^/([^/\\\s][^\\\s]*)?$", description="A path here, opened after the sign-in."
    )


class OAuthBegun(BaseModel):
    """A sign-in that its owner has to allow at their own server."""

    url: str = Field(description="Where the owner decides: open it in the browser that asked.")


@router.post(
    "/session/oauth",
    summary="Begin to sign in with OAuth",
    status_code=status.HTTP_201_CREATED,
    responses={201: shown(examples.OAUTH_BEGUN)} | problems(403, 404, 422, 429, 500, 502, 503),
)
async def begin_oauth(request: Request, response: Response, body: OAuthBody, settings: AppSettings) -> OAuthBegun:
    """Ask the account's server for a sign-in, which is good for ten minutes, once, and in this browser only.

    After too many attempts there is a pause.
    """
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        must_be_same_site(request)
    address = request.client.host if request.client else "unknown"
    begun = await oauth.begin(body.identifier, address, body.return_to)
    response.headers["Cache-Control"] = "no-store"
    give_cookie(response, BROWSER_COOKIE, begun.browser, oauth.LIFETIME, settings)
    return OAuthBegun(url=begun.url)


@router.get(
    oauth_client.CALLBACK_PATH,
    summary="Come back from the account's server",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=RedirectResponse,
    responses={303: {"description": "Signed in: the cookie is set, and the browser goes on."}}
    | problems(401, 403, 422, 500, 502, 503),
)
async def end_oauth(
    settings: AppSettings,
    state: Annotated[str, Query(max_length=200)],
    iss: Annotated[str | None, Query(max_length=500)] = None,
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    backline_oauth: Annotated[str, Cookie(max_length=200, include_in_schema=False)] = "",
) -> RedirectResponse:
    """The account's server sends the browser here. Work that waited for this sign-in goes on."""
    done = await oauth.finish(Arrived(state=state, browser=backline_oauth, issuer=iss, code=code, error=error))
    response = RedirectResponse(done.return_to, status.HTTP_303_SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.delete_cookie(BROWSER_COOKIE)
    give_cookie(response, COOKIE, done.signed_in.token, sign_in_lifetime(settings), settings)
    return response


@router.get(
    oauth_client.METADATA_PATH,
    summary="Show this platform as an OAuth client",
    responses={200: shown(examples.CLIENT_METADATA)} | problems(404, 500),
)
async def show_client_metadata() -> dict[str, object]:
    """What authorization servers fetch to know who asks. Its address is the client's id."""
    return oauth_client.metadata()
