"""Who calls: the token in the header or in the cookie, and what becomes of one that does not hold."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from backend._internal.sign_in_cookie import COOKIE
from backend.api.caller import Caller
from backend.db.models.media import Track
from backend.db.session import database
from backend.domains.federation.sign_ins import Role, close_sign_in, open_sign_in
from backend.errors import Forbidden
from tests import audio

ALICE = "did:plc:alice"


async def _owner(track_id: str) -> str | None:
    async with database().reading() as session:
        return await session.scalar(select(Track.artist_did).where(Track.id == track_id))


@pytest.mark.parametrize("way", ["bearer", "cookie", "nobody"])
async def test_a_track_belongs_to_who_sent_it(api: httpx.AsyncClient, tmp_path: Path, way: str) -> None:
    token = await open_sign_in(ALICE)
    headers = {
        "bearer": {"Authorization": f"bearer  {token}"},
        "cookie": {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "same-origin"},
        "nobody": {"Authorization": "Basic eDp5"},
    }[way]
    content = audio.tone(tmp_path / "song.wav", 0.5).read_bytes()
    made = await api.post("/tracks?filename=song.wav", content=content, headers=headers)
    assert made.status_code == 202
    assert await _owner(made.json()["track"]["id"]) == (None if way == "nobody" else ALICE)


async def test_a_token_that_does_not_hold_is_refused_even_where_none_is_needed(
    api: httpx.AsyncClient, tmp_path: Path
) -> None:
    token = await open_sign_in(ALICE)
    await close_sign_in(token)
    content = audio.tone(tmp_path / "song.wav", 0.5).read_bytes()
    refused = await api.post("/tracks", content=content, headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["title"]) == (401, "Sign-in required")
    assert token not in refused.text


def test_roles_and_owners() -> None:
    Caller(ALICE, Role.ARTIST).must_own(ALICE)
    Caller("did:plc:root", Role.ADMIN).must_own(ALICE)
    for caller, did in ((Caller("did:plc:bob", Role.OPERATOR), ALICE), (Caller(ALICE, Role.ARTIST), None)):
        with pytest.raises(Forbidden):
            caller.must_own(did)
    Caller(ALICE, Role.OPERATOR).must_be(Role.VIEWER)
    with pytest.raises(Forbidden, match="operator"):
        Caller(ALICE, Role.VIEWER).must_be(Role.OPERATOR)
