"""Albums over HTTP: everybody reads, their artist writes. What becomes of their lists is shown beside a real server."""

from typing import Any

import httpx
import pytest

from backend.db.models.media import Track
from backend.db.session import unit_of_work
from backend.domains.federation.sign_ins import open_sign_in
from tests.domains.federation.conftest import ready_track

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def _bearer(did: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did)}"}


async def _album(api: httpx.AsyncClient, alice: dict[str, str], **body: object) -> dict[str, Any]:
    made = await api.post("/albums", json={"title": "Night", **body}, headers=alice)
    assert made.status_code == 201
    return made.json()


async def test_an_album_is_made_ordered_renamed_and_removed(api: httpx.AsyncClient) -> None:
    alice, tracks = await _bearer(ALICE), [await ready_track(ALICE, f"Track {each}") for each in range(3)]
    made = await _album(api, alice, track_ids=tracks)
    here = made["links"]["self"]
    assert [line["title"] for line in made["tracks"]] == ["Track 0", "Track 1", "Track 2"]
    ordered = await api.put(f"{here}/tracks", json={"track_ids": tracks[:0:-1]}, headers=alice)
    assert [line["id"] for line in ordered.json()["tracks"]] == tracks[:0:-1]
    assert (await api.patch(here, json={"title": " Day\u0000 "}, headers=alice)).json()["title"] == "Day"
    # Anybody reads it, and the track that is removed is not in it any more.
    assert (await api.get(here)).json()["title"] == "Day"
    assert (await api.get("/albums", params={"artist_did": ALICE})).json()["items"][0]["tracks"] == 2
    assert (await api.delete(f"/tracks/{tracks[2]}", headers=alice)).status_code == 204
    assert [line["id"] for line in (await api.get(here)).json()["tracks"]] == [tracks[1]]
    assert (await api.delete(here, headers=alice)).status_code == 204
    assert (await api.get(here)).status_code == 404
    assert (await api.get(f"/tracks/{tracks[1]}")).status_code == 200


async def test_a_gated_track_is_shown_and_not_played(api: httpx.AsyncClient) -> None:
    track_id = await ready_track(ALICE)
    async with unit_of_work() as unit:
        (await unit.session.get_one(Track, track_id)).gated = True
    made = await _album(api, await _bearer(ALICE), track_ids=[track_id])
    [line] = (await api.get(made["links"]["self"])).json()["tracks"]
    assert (line["gated"], [name for name in line if "url" in name]) == (True, [])
    assert (await api.get(f"/tracks/{track_id}/hls/master.m3u8")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"title": "Mine now"}),
        ("PUT", "/tracks", {"track_ids": []}),
        ("GET", "/list", None),
        ("DELETE", "", None),
    ],
)
async def test_nobody_else_writes(api: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None) -> None:
    here = (await _album(api, await _bearer(ALICE)))["links"]["self"]
    assert (await api.request(method, f"{here}{path}", json=body)).status_code == 401
    assert (await api.request(method, f"{here}{path}", json=body, headers=await _bearer(BOB))).status_code == 403
    none = await api.request(method, f"/albums/none{path}", json=body, headers=await _bearer(BOB))
    assert none.status_code == 404
    assert (await api.get(here)).json()["title"] == "Night"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"title": "\u0000 "}, "title", "something to show"),
        ({"title": "t" * 501}, "title", "500"),
        ({"title": "t", "track_ids": ["none-such"]}, "track_ids", "no track of the album's artist"),
        ({"title": "t", "track_ids": ["\u0000"]}, "track_ids.0", "pattern"),
        ({"title": "t", "track_ids": [str(each) for each in range(501)]}, "track_ids", "make several albums"),
        ({"title": "t", "tracks": []}, "tracks", "not permitted"),
        ({}, "title", "required"),
    ],
)
async def test_what_is_wrong_is_said(api: httpx.AsyncClient, body: dict[str, Any], field: str, words: str) -> None:
    refused = await api.post("/albums", json=body, headers=await _bearer(ALICE))
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert words in refused.json()["detail"]


async def test_an_unpublished_album_has_no_list_yet(api: httpx.AsyncClient) -> None:
    alice = await _bearer(ALICE)
    here = (await _album(api, alice, track_ids=[await ready_track(ALICE)]))["links"]["self"]
    missing = await api.get(f"{here}/list", headers=alice)
    assert (missing.status_code, "ever published" in missing.json()["detail"]) == (404, True)


async def test_albums_come_in_pages(api: httpx.AsyncClient) -> None:
    alice = await _bearer(ALICE)
    made = [(await _album(api, alice, title=f"Album {each}"))["id"] for each in range(3)]
    first = (await api.get("/albums", params={"limit": 2})).json()
    second = (await api.get(first["next"])).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    assert (await api.get("/albums", params={"artist_did": "\u0000"})).status_code == 422
