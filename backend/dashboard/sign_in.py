"""The way in: a token that `backline sign-ins open` printed is typed once, and the browser keeps it as a cookie."""

import re
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from backend._internal.sign_in_cookie import COOKIE, give_cookie, must_be_same_site, sign_in_lifetime, token_of
from backend.dashboard.assets import HEAD
from backend.dashboard.markup import NOTHING
from backend.domains.federation import accounts
from backend.domains.federation.sign_ins import Role, find_sign_in
from backend.errors import Forbidden

router = APIRouter(prefix="/desk", include_in_schema=False)

HOME = "/desk/"
_OURS = re.compile(r"/desk/[^\\\s]*")

PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · Backline</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">{}</head><body class="door"><main class="card">'
    '<h1>Backline</h1><form method="post" action="/desk/sign-in"><input type="hidden" name="then" value="{}">'
    '<label for="token">Token</label><input id="token" name="token" type="password" required autofocus maxlength="200" '
    'autocomplete="current-password" spellcheck="false">{}<button class="act main">Sign in</button></form>'
    "<p>A token is made at the terminal, for one person and one role:</p>"
    "<pre>backline sign-ins open did:plc:… --role operator</pre></main></body></html>"
)


def page(trouble: str | None, status: int, then: str = HOME) -> HTMLResponse:
    """The sign-in page, with what went wrong."""
    said = Markup('<p class="wrong" role="alert">{}</p>').format(trouble) if trouble else NOTHING
    return HTMLResponse(PAGE.format(HEAD, then, said), status, {"Cache-Control": "no-store"})


@router.get("/sign-in")
async def show_sign_in(then: Annotated[str, Query(max_length=1000)] = HOME) -> HTMLResponse:
    """Ask for a token."""
    return page(None, 200, _inside(then))


@router.post("/sign-in")
async def take_token(
    request: Request,
    token: Annotated[str, Form(max_length=200)] = "",
    then: Annotated[str, Form(max_length=1000)] = HOME,
) -> Response:
    """Give the browser a cookie for a token that holds, and that is not an artist's."""
    try:
        must_be_same_site(request)
    except Forbidden as error:
        return page(error.detail, 403)
    found = await find_sign_in(token.strip())
    if found is None:
        return page("This token does not hold: it is mistyped, or its time is over.", 401, _inside(then))
    if not found.role.covers(Role.VIEWER):
        return page("This token is of an artist. The desk is for viewers, operators and admins.", 403, _inside(then))
    response = RedirectResponse(_inside(then), 303)
    settings = request.app.state.settings
    give_cookie(response, COOKIE, token.strip(), sign_in_lifetime(settings), settings)
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End this sign-in."""
    try:
        token = token_of(request)
    except Forbidden as error:
        return page(error.detail, 403)
    if token:
        await accounts.sign_out(token)
    response = RedirectResponse("/desk/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


def _inside(then: str) -> str:
    return then if _OURS.fullmatch(then) else HOME
