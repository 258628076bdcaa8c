"""Preferences over HTTP: what the caller chose."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import SignedIn
from backend.api.problems import problems
from backend.domains.federation import preferences
from backend.domains.federation.preferences import PreferencesView

router = APIRouter(prefix="/preferences", tags=["preferences"], route_class=SmallBody)

PREFERENCES = {"allow_comments": True, "scrobble": False}


class Choices(BaseModel):
    """What should be different. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    allow_comments: StrictBool | None = Field(None, description="Whether others may comment on the caller's tracks.")
    scrobble: StrictBool | None = Field(
        None, description="Whether what the caller hears is written to their own server, for teal."
    )


@router.get("", summary="Show preferences", responses={200: examples.shown(PREFERENCES)} | problems(401, 503))
async def show_preferences(caller: SignedIn) -> PreferencesView:
    """What the caller chose, or the defaults."""
    return await preferences.get_preferences(caller.did)


@router.patch(
    "", summary="Change preferences", responses={200: examples.shown(PREFERENCES)} | problems(401, 403, 413, 422, 503)
)
async def change_preferences(caller: SignedIn, choices: Choices) -> PreferencesView:
    """Change what is given. Comments that are there already stay."""
    return await preferences.change_preferences(caller.did, **choices.model_dump())
