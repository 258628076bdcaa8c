"""Plays over HTTP: who is counted, and what the track says of it."""

import httpx
from sqlalchemy import update

from backend.db.ids import new_id
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import unit_of_work
from backend.domains.federation.sign_ins import open_sign_in

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def _track() -> str:
    asset = Asset(id=new_id(), bucket="private", key=new_id(), mime="audio/flac", size_bytes=1)
    track = Track(id=new_id(), title="Song", artist_did=ALICE, current_version_id=new_id())
    async with unit_of_work() as unit:
        unit.session.add_all([asset, track])
        await unit.flush()
        made = {"track_id": track.id, "original_asset_id": asset.id, "status": "ready", "codec": "mp3"}
        unit.session.add(TrackVersion(id=track.current_version_id, **made))
    return f"/tracks/{track.id}"


async def _bearer(did: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did)}"}


async def test_everybody_counts(api: httpx.AsyncClient) -> None:
    here, bob = await _track(), await _bearer(BOB)
    told = await api.post(f"{here}/plays")
    assert (told.status_code, told.json()["counted"], told.json()["run_id"]) == (202, True, None)
    assert not (await api.post(f"{here}/plays")).json()["counted"]
    assert (await api.post(f"{here}/plays", headers=bob)).json()["play_count"] == 2
    assert (await api.get(here)).json()["play_count"] == 2
    assert (await api.post("/tracks/none/plays")).status_code == 404


async def test_who_scrobbles_gets_a_run(api: httpx.AsyncClient) -> None:
    here, bob = await _track(), await _bearer(BOB)
    assert not (await api.get("/preferences", headers=bob)).json()["scrobble"]
    chosen = await api.patch("/preferences", json={"scrobble": True}, headers=bob)
    assert chosen.json() == {"allow_comments": True, "scrobble": True}
    told = (await api.post(f"{here}/plays", headers=bob)).json()
    run = (await api.get(f"/runs/{told['run_id']}")).json()
    assert (run["task"], list(run["args"])) == ("scrobble_to_teal", ["play_id"])


async def test_a_gated_track_is_not_heard_by_others(api: httpx.AsyncClient) -> None:
    here = await _track()
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).values(gated=True))
    assert (await api.post(f"{here}/plays")).status_code == 401
    assert (await api.post(f"{here}/plays", headers=await _bearer(BOB))).status_code == 403
    assert (await api.get(here)).json()["play_count"] == 0
    assert (await api.post(f"{here}/plays", headers=await _bearer(ALICE))).json()["counted"]


async def test_what_does_not_play_yet_is_heard_by_nobody(api: httpx.AsyncClient) -> None:
    here = await _track()
    async with unit_of_work() as unit:
        await unit.connection.execute(update(TrackVersion).values(status="pending"))
    refused = await api.post(f"{here}/plays")
    assert (refused.status_code, "does not play yet" in refused.json()["detail"]) == (409, True)
