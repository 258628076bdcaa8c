"""The caller's own profile over HTTP."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import SignedIn
from backend.api.problems import problems
from backend.api.publications import PUBLICATION
from backend.domains.federation import profile
from backend.domains.federation.profile import ProfileView

router = APIRouter(prefix="/profile", tags=["profile"], route_class=SmallBody)

PROFILE = {
    "did": PUBLICATION["did"],
    "handle": "anna.example.com",
    "display_name": "Anna",
    "bio": "Bass, mostly.",
    "own_bio": True,
    "avatar_url": None,
    "record": PUBLICATION | {"uri": f"at://{PUBLICATION['did']}/fm.backline.actor.profile/self"},
}


class Bio(BaseModel):
    """What the caller says of themselves."""

    model_config = ConfigDict(extra="forbid")

    bio: str | None = Field(
        description="At most 2,560 characters. Null: what the public profile says.", examples=["Bass, mostly."]
    )


@router.get("", summary="Show your profile", responses={200: examples.shown(PROFILE)} | problems(401, 503))
async def show_profile(caller: SignedIn) -> ProfileView:
    """What is said here, what the public profile said at the last sign-in, and where the record of it stands."""
    return await profile.get_profile(caller.did)


@router.patch(
    "", summary="Change your profile", responses={200: examples.shown(PROFILE)} | problems(401, 403, 413, 422, 503)
)
async def change_profile(caller: SignedIn, said: Bio) -> ProfileView:
    """Say something of yourself. It is written to your own server soon."""
    return await profile.change_bio(caller.did, said.bio)
