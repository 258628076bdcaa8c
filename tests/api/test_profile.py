"""The caller's profile over HTTP. What becomes of its record is shown beside a real server."""

import httpx
import pytest

from backend.domains.federation.sign_ins import open_sign_in

ALICE = "did:plc:alice"


async def test_it_is_shown_changed_and_taken_back(api: httpx.AsyncClient) -> None:
    alice = {"Authorization": f"Bearer {await open_sign_in(ALICE)}"}
    nothing = (await api.get("/profile", headers=alice)).json()
    assert (nothing["did"], nothing["bio"], nothing["own_bio"], nothing["record"]) == (ALICE, None, False, None)
    said = (await api.patch("/profile", json={"bio": "Bass,\nmostly."}, headers=alice)).json()
    assert (said["bio"], said["own_bio"], said["record"]["state"]) == ("Bass,\nmostly.", True, "waiting_for_sign_in")
    assert said["record"]["uri"] == f"at://{ALICE}/fm.backline.actor.profile/self"
    again = (await api.patch("/profile", json={"bio": "Bass,\nmostly."}, headers=alice)).json()
    assert again["record"]["revision"] == said["record"]["revision"]
    assert (await api.patch("/profile", json={"bio": None}, headers=alice)).json()["bio"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"bio": "b" * 2561}, "at most 2,560 characters"),
        ({"bio": "a\u0000"}, "NUL"),
        ({"bio": 7}, "string"),
        ({}, "required"),
        ({"bio": "b", "avatar": "c"}, "not permitted"),
    ],
)
async def test_what_is_wrong_is_said(api: httpx.AsyncClient, body: dict[str, object], words: str) -> None:
    alice = {"Authorization": f"Bearer {await open_sign_in(ALICE)}"}
    refused = await api.patch("/profile", json=body, headers=alice)
    assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    assert (await api.get("/profile", headers=alice)).json()["bio"] is None


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_nobody_has_none(api: httpx.AsyncClient, method: str) -> None:
    assert (await api.request(method, "/profile", json={"bio": "b"} if method == "PATCH" else None)).status_code == 401
