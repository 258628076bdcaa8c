"""Comments over HTTP: who reads, who writes, and pages of them. Their records are shown beside a real server."""

from datetime import UTC, datetime

import httpx
import pytest

from backend.db.ids import new_id
from backend.db.models.federation import Comment, PdsRecord
from backend.db.models.media import Track
from backend.db.session import unit_of_work
from backend.domains.federation.sign_ins import Role, open_sign_in

ALICE, BOB, CAROL = (f"did:plc:{name}" for name in ("alice", "bob", "carol"))
CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


async def _bearer(did: str, role: Role = Role.ARTIST) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did, role)}"}


async def _published(gated: bool = False) -> str:
    """A track of alice's whose record was written. Returns the path of its comments."""
    track = Track(id=new_id(), title="Song", artist_did=ALICE, gated=gated)
    place = {"kind": "track", "subject": track.id, "collection": "fm.backline.track", "rkey": new_id(), "cid": CID}
    async with unit_of_work() as unit:
        unit.session.add_all([track, PdsRecord(did=ALICE, wanted={"title": "Song"}, **place)])
    return f"/tracks/{track.id}/comments"


async def test_from_the_first_word_to_the_last(api: httpx.AsyncClient) -> None:
    here, alice, bob = await _published(), await _bearer(ALICE), await _bearer(BOB)
    made = await api.post(here, json={"text": "this bass!", "timestamp_ms": 84_200}, headers=bob)
    assert made.status_code == 202
    comment, record = made.json()["comment"], made.json()["record"]
    assert record["uri"].startswith(f"at://{BOB}/fm.backline.comment/")
    assert (record["state"], made.json()["hidden"]) == ("waiting_for_sign_in", False)
    own = f"{here}/{comment['id']}"
    changed = await api.patch(own, json={"text": "THIS bass!"}, headers=bob)
    assert changed.json()["comment"] | {"updated_at": None, "text": "this bass!"} == comment
    # Anybody reads it.
    assert (await api.get(here)).json() == {"items": [changed.json()["comment"]], "next": None}
    for path, asked in (("PATCH", {"json": {"text": "mine"}}), ("GET", {}), ("DELETE", {})):
        assert (await api.request(path, own, headers=await _bearer(CAROL), **asked)).status_code == 403
    assert (await api.delete(own, headers=alice)).json() == {"record": None}
    assert (await api.get(here)).json()["items"] == []
    assert (await api.get(own, headers=bob)).json()["hidden"]
    removed = await api.delete(own, headers=bob)
    assert (removed.status_code, removed.json()["record"]["revision"]) == (202, 3)
    assert (await api.get(own, headers=bob)).status_code == 404
    again = (await api.post(here, json={"text": "again"}, headers=bob)).json()["comment"]["id"]
    admin = await _bearer(CAROL, Role.ADMIN)
    assert (await api.delete(f"{here}/{again}", headers=admin)).json() == {"record": None}


async def test_pages(api: httpx.AsyncClient) -> None:
    here = await _published()
    made = {"track_id": here.split("/")[2], "did": BOB, "timestamp_ms": 0, "created_at": datetime.now(UTC)}
    async with unit_of_work() as unit:
        unit.session.add_all([Comment(id=new_id(), text=str(number), **made) for number in range(5)])
    found, path = [], f"{here}?limit=2"
    while path:
        page = (await api.get(path)).json()
        found.append([item["text"] for item in page["items"]])
        path = page["next"]
    assert found == [["4", "3"], ["2", "1"], ["0"]]


async def test_who_may_and_what(api: httpx.AsyncClient) -> None:
    here, bob = await _published(), await _bearer(BOB)
    assert (await api.post(here, json={"text": "hello"})).status_code == 401
    for body in (
        {}, {"text": ""}, {"text": "x" * 1001}, {"text": 5}, {"text": "x", "timestamp_ms": -1}, {"text": "x", "more": 1},
        {"text": "x", "timestamp_ms": 2**63}, {"text": "x", "timestamp_ms": "7"},
    ):  # fmt: skip
        refused = await api.post(here, json=body, headers=bob)
        assert refused.status_code == 422, body
        assert refused.json()["field"] in ("text", "timestamp_ms", "more"), refused.json()
    refused = await api.post(here, json={"text": "x" * 1_000_001}, headers=bob)
    assert refused.status_code == 413
    for path in ("/tracks/none/comments", f"{here}/{new_id()}"):
        assert (await api.get(path, headers=bob)).status_code == 404
    gated = await _published(gated=True)
    assert (await api.post(gated, json={"text": "hello"}, headers=bob)).status_code == 403
    assert (await api.post(gated, json={"text": "hello"}, headers=await _bearer(ALICE))).status_code == 202
    assert len((await api.get(gated)).json()["items"]) == 1


async def test_an_artist_chooses(api: httpx.AsyncClient) -> None:
    here, alice, bob = await _published(), await _bearer(ALICE), await _bearer(BOB)
    assert (await api.get("/preferences")).status_code == 401
    before = (await api.get("/preferences", headers=alice)).json()
    assert before["allow_comments"]
    # What is left out stays.
    assert (await api.patch("/preferences", json={}, headers=alice)).json() == before
    off = await api.patch("/preferences", json={"allow_comments": False}, headers=alice)
    assert off.json() == before | {"allow_comments": False}
    refused = await api.post(here, json={"text": "hello"}, headers=bob)
    assert (refused.status_code, refused.json()["detail"]) == (403, "the artist takes no comments")
    assert (await api.patch("/preferences", json={"allow_comments": None}, headers=alice)).json() == off.json()
    assert (await api.get("/preferences", headers=bob)).json() == before


@pytest.mark.parametrize("wrong", [{"allow_comments": "no"}, {"allow_comments": 0}, {"allow": False}, []])
async def test_a_choice_that_is_none(api: httpx.AsyncClient, wrong: object) -> None:
    assert (await api.patch("/preferences", json=wrong, headers=await _bearer(ALICE))).status_code == 422
