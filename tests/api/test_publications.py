"""Publication over HTTP: for the owner only."""

import httpx
import pytest
from sqlalchemy import select, update

from backend.db.ids import new_id
from backend.db.models.federation import PdsRecord
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.models.runs import Run
from backend.db.session import unit_of_work
from backend.domains.federation.sign_ins import open_sign_in

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def _track(did: str | None) -> str:
    asset = Asset(id=new_id(), bucket="private", key=new_id(), mime="audio/flac", size_bytes=1)
    track = Track(id=new_id(), title="Song", artist_did=did, current_version_id=new_id())
    async with unit_of_work() as unit:
        unit.session.add_all([asset, track])
        await unit.flush()
        made = {"track_id": track.id, "original_asset_id": asset.id, "status": "ready", "codec": "mp3"}
        unit.session.add(TrackVersion(id=track.current_version_id, **made))
    return track.id


async def _bearer(did: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did)}"}


async def test_its_owner_asks_for_it_and_takes_it_back(api: httpx.AsyncClient) -> None:
    track_id, alice = await _track(ALICE), await _bearer(ALICE)
    here = f"/tracks/{track_id}/publication"
    assert (await api.get(here, headers=alice)).status_code == 404
    made = await api.put(here, headers=alice)
    # She never signed in with an app password, so it waits for that.
    assert (made.status_code, made.json()["publication"]["state"]) == (202, "waiting_for_sign_in")
    assert made.json()["publication"]["uri"].startswith(f"at://{ALICE}/fm.backline.track/")
    assert made.json()["links"]["self"] == here
    assert (await api.get(here, headers=alice)).json()["revision"] == 1
    assert (await api.put(here, headers=alice)).json()["publication"]["revision"] == 1
    assert (await api.delete(here, headers=alice)).json()["publication"]["revision"] == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_nobody_else_does(api: httpx.AsyncClient, method: str) -> None:
    here = f"/tracks/{await _track(ALICE)}/publication"
    assert (await api.request(method, here)).status_code == 401
    assert (await api.request(method, here, headers=await _bearer(BOB))).status_code == 403
    nobodys = f"/tracks/{await _track(None)}/publication"
    assert (await api.request(method, nobodys, headers=await _bearer(BOB))).status_code == 403
    assert (await api.request(method, "/tracks/none/publication", headers=await _bearer(BOB))).status_code == 404


async def test_what_does_not_play_yet_is_a_conflict(api: httpx.AsyncClient) -> None:
    track_id = await _track(ALICE)
    async with unit_of_work() as unit:
        await unit.connection.execute(update(TrackVersion).values(status="pending"))
    refused = await api.put(f"/tracks/{track_id}/publication", headers=await _bearer(ALICE))
    assert (refused.status_code, "once it plays" in refused.json()["detail"]) == (409, True)


async def test_it_goes_with_its_track(api: httpx.AsyncClient) -> None:
    track_id, alice = await _track(ALICE), await _bearer(ALICE)
    assert (await api.put(f"/tracks/{track_id}/publication", headers=alice)).status_code == 202
    assert (await api.delete(f"/tracks/{track_id}", headers=await _bearer(BOB))).status_code == 403
    row = select(PdsRecord).filter_by(did=ALICE, subject=track_id)
    async with unit_of_work() as unit:
        assert (await unit.session.scalars(row)).one().wanted is not None
    assert (await api.delete(f"/tracks/{track_id}", headers=alice)).status_code == 204
    async with unit_of_work() as unit:
        gone = (await unit.session.scalars(row)).one()
        assert (gone.wanted, gone.wanted_revision) == (None, 2)
        runs = await unit.session.scalars(select(Run).where(Run.task == "write_record"))
        assert [run.args["record_id"] for run in runs] == [gone.id]
