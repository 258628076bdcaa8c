"""Whatever writes a track's record, and whatever removes a track, is followed by the lists of its albums."""

import httpx
import pytest
from sqlalchemy import update

from backend._internal import background_tasks
from backend.db.models.runs import Run, State
from backend.db.session import Database, unit_of_work
from backend.domains.federation.albums import create_album
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.records import want
from backend.domains.federation.sign_ins import open_sign_in
from backend.runtime.after import follow
from backend.runtime.runs import RunFilter, list_runs
from tests.api.conftest import api as api
from tests.api.conftest import base_url as base_url
from tests.domains.federation.conftest import ready_track

ALICE = "did:plc:alice"
RECORD = {"title": "One", "artist": "Anna", "fileType": "flac", "createdAt": "2026-11-23T09:14:03.250Z"}


async def _album_of(track_id: str) -> str:
    """An album with this track, whose list is not about to be written."""
    album = await create_album(ALICE, "Album", [track_id])
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Run).values(state=State.SUCCEEDED))
    return album.id


async def _planned() -> list[object]:
    return [run.args["album_id"] for run in await list_runs(RunFilter(task="sync_album_list", state=["scheduled"]))]


@pytest.mark.parametrize(
    "task", ["publish_track", "save_audio_to_pds", "write_record", "recheck_record", "heed_record"]
)
async def test_a_record_that_was_written(database: Database, task: str) -> None:
    background_tasks.find_rooms()
    track_id = await ready_track(ALICE)
    album_id = await _album_of(track_id)
    async with unit_of_work() as unit:
        rows = [await want(unit, ALICE, Kind.TRACK, track_id, RECORD)]
        rows.append(await want(unit, ALICE, Kind.PROFILE, "self", {"createdAt": RECORD["createdAt"]}))
    track, profile = (
        {"track_id": about, "record_id": row.id, "uri": f"at://{row.did}/{row.collection}/{row.rkey}"}
        for row, about in zip(rows, (track_id, "no such track"), strict=True)
        if row
    )
    await follow(task, profile, None)
    assert await _planned() == []
    for _ in range(2):
        await follow(task, track, None)
    assert await _planned() == [album_id]


async def test_a_track_that_was_removed(api: httpx.AsyncClient) -> None:
    track_id = await ready_track(ALICE)
    album_id = await _album_of(track_id)
    bearer = {"Authorization": f"Bearer {await open_sign_in(ALICE)}"}
    assert (await api.delete(f"/tracks/{track_id}", headers=bearer)).status_code == 204
    assert await _planned() == [album_id]
