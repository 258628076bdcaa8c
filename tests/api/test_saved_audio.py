"""Saved audio over HTTP: for the owner of a published, open track. What reaches a server is shown in `tests/flows`."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from backend.db.ids import new_id
from backend.db.models.federation import PdsRecord, SavedAudio
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import database, unit_of_work
from backend.domains.federation.sign_ins import open_sign_in
from backend.runtime.queues import pause_queue
from backend.storage import Bucket, ObjectKey, storage
from tests.api.following import ended

ALICE, BOB = "did:plc:alice", "did:plc:bob"
CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


async def _track() -> str:
    asset = Asset(id=new_id(), bucket="private", key=new_id(), mime="audio/flac", size_bytes=1)
    track = Track(id=new_id(), title="Song", artist_did=ALICE, current_version_id=new_id())
    async with unit_of_work() as unit:
        unit.session.add_all([asset, track])
        await unit.flush()
        made = {"track_id": track.id, "original_asset_id": asset.id, "status": "ready", "codec": "mp3"}
        unit.session.add(TrackVersion(id=track.current_version_id, **made))
    await storage().put(ObjectKey(Bucket.PRIVATE, asset.key), b"fLaC")
    return f"/tracks/{track.id}/publication"


async def _bearer(did: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did)}"}


async def test_its_owner_asks_for_it_and_takes_it_back(api: httpx.AsyncClient) -> None:
    here, alice = await _track(), await _bearer(ALICE)
    refused = await api.put(f"{here}/audio", headers=alice)
    assert (refused.status_code, "publish it first" in refused.json()["detail"]) == (409, True)
    await api.put(here, headers=alice)
    assert (await api.get(f"{here}/audio", headers=alice)).status_code == 404
    asked = await api.put(f"{here}/audio", headers=alice)
    assert (asked.status_code, asked.json()["audio"]["blob"]) == (202, None)
    run_id = asked.json()["run_id"]
    assert (await api.get(f"/runs/{run_id}")).json()["task"] == "save_audio_to_pds"
    # She never signed in with an app password, so it waits for that.
    assert (await api.put(f"{here}/audio", headers=alice)).json()["run_id"] == run_id
    assert (await api.get(f"{here}/audio", headers=alice)).json() == asked.json()["audio"]
    assert (await api.delete(f"{here}/audio", headers=alice)).status_code == 202
    assert (await ended(api, run_id))["state"] == "cancelled"
    assert (await api.delete(f"{here}/audio", headers=alice)).status_code == 404


async def test_a_gate_that_closes_takes_it_away_before_the_audio_has_moved(api: httpx.AsyncClient) -> None:
    here, alice = await _track(), await _bearer(ALICE)
    await pause_queue("media")
    track_id = here.split("/")[2]
    blob = {"$type": "blob", "ref": {"$link": CID}, "mimeType": "audio/mpeg", "size": 4}
    async with unit_of_work() as unit:
        track = await unit.session.get_one(Track, track_id)
        unit.session.add(SavedAudio(track_id=track_id, version_id=track.current_version_id, what="original", blob=blob))
    await api.put(here, headers=alice)
    assert (await _wanted(track_id))["audioBlob"] == blob
    changed = await api.patch(f"/tracks/{track_id}", json={"gated": True}, headers=alice)
    assert changed.status_code == 200
    record = await _wanted(track_id)
    assert ("supportGate" in record, "audioBlob" in record) == (True, False)
    assert (await api.get(f"{here}/audio", headers=alice)).json()["blob"] is None


async def _wanted(track_id: str) -> dict[str, Any]:
    async with database().reading() as session:
        found = await session.scalar(select(PdsRecord.wanted).filter_by(kind="track", subject=track_id))
    assert found
    return found


async def test_a_gated_track_stays_here(api: httpx.AsyncClient) -> None:
    here, alice = await _track(), await _bearer(ALICE)
    await api.put(here, headers=alice)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).values(gated=True))
    refused = await api.put(f"{here}/audio", headers=alice)
    assert (refused.status_code, "open the gate first" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_nobody_else_does(api: httpx.AsyncClient, method: str) -> None:
    here = f"{await _track()}/audio"
    assert (await api.request(method, here)).status_code == 401
    assert (await api.request(method, here, headers=await _bearer(BOB))).status_code == 403
    nowhere = "/tracks/none/publication/audio"
    assert (await api.request(method, nowhere, headers=await _bearer(BOB))).status_code == 404
