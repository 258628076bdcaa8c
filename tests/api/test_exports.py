"""Exports over HTTP: their owner has them, and nobody else."""

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from backend.domains.federation.sign_ins import Role, open_sign_in
from tests import audio
from tests.api.following import ended, events

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def _as(did: str, role: Role = Role.ARTIST) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did, role)}"}


@pytest.fixture
async def alice(api: httpx.AsyncClient, tmp_path: Path) -> dict[str, str]:
    """Headers of somebody who has a track."""
    headers = await _as(ALICE)
    file = audio.tone(tmp_path / "song.wav", 1.0)
    made = await api.post("/tracks", files={"file": ("song.wav", file.read_bytes())}, headers=headers)
    assert made.status_code == 202, made.text
    await ended(api, made.json()["run_ids"][0])
    return headers


async def test_from_the_request_to_the_archive(api: httpx.AsyncClient, alice: dict[str, str]) -> None:
    asked = await api.post("/exports", headers=alice)
    assert (asked.status_code, asked.json()["export"]["state"]) == (202, "preparing")
    links = asked.json()["links"]
    async with api.stream("GET", links["stream"], headers=alice) as response:
        kinds = [sent.event async for sent in events(response)]
    assert kinds[-1] == "end"
    shown = (await api.get(links["self"], headers=alice)).json()
    assert (shown["state"], shown["tracks"]) == ("ready", 1)
    assert [each["id"] for each in (await api.get("/exports", headers=alice)).json()["items"]] == [shown["id"]]
    link = await api.get(links["download"], headers=alice)
    assert (link.status_code, link.headers["cache-control"]) == (307, "no-store")
    fetched = await api.get(link.headers["location"])
    assert fetched.headers["content-type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(fetched.content)).namelist() == ["song.wav", "manifest.json"]
    for _ in range(2):
        assert (await api.delete(links["self"], headers=alice)).status_code == 204
    assert (await api.get(links["download"], headers=alice)).status_code == 409
    assert (await api.get(link.headers["location"])).status_code == 404


async def test_others_are_refused(api: httpx.AsyncClient, alice: dict[str, str]) -> None:
    path = (await api.post("/exports", headers=alice)).json()["links"]["self"]
    bob, admin = await _as(BOB), await _as(BOB, Role.ADMIN)
    calls = [("GET", path), ("GET", f"{path}/stream"), ("GET", f"{path}/download"), ("DELETE", path)]
    for method, where in calls:
        nobody = await api.request(method, where)
        assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
        assert (await api.request(method, where, headers=bob)).status_code == 403
    for method in ("GET", "POST"):
        assert (await api.request(method, "/exports")).status_code == 401
    assert (await api.get("/exports", headers=bob)).json()["items"] == []
    assert (await api.post("/exports", headers=bob)).status_code == 404
    assert (await api.get(path, headers=admin)).status_code == 200
    assert (await api.get("/exports/0192a6b1-0000-7000-8000-000000000000", headers=bob)).status_code == 404
