"""What owners do with their tracks over HTTP, and what others may not."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.domains.federation.sign_ins import Role, open_sign_in
from tests import audio
from tests.api.following import ended, in_state
from tests.conftest import set_environment

ALICE, BOB = "did:plc:alice", "did:plc:bob"


async def as_person(did: str, role: Role = Role.ARTIST) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did, role)}"}


async def upload(api: httpx.AsyncClient, headers: dict[str, str], file: Path, path: str = "/tracks") -> dict[str, Any]:
    method = "POST" if path == "/tracks" else "PUT"
    made = await api.request(
        method, path, files={"file": (file.name, await asyncio.to_thread(file.read_bytes))}, headers=headers
    )
    assert made.status_code == 202, made.text
    return made.json()


async def all_ended(api: httpx.AsyncClient, made: dict[str, Any]) -> None:
    await ended(api, made["run_ids"][0])
    for run in (await api.get(made["links"]["runs"])).json()["items"]:
        assert (await ended(api, run["id"]))["state"] == "succeeded"


async def test_replaced_restored_removed(api: httpx.AsyncClient, tmp_path: Path) -> None:
    alice = await as_person(ALICE)
    made = await upload(api, alice, audio.tone(tmp_path / "first.wav", 1.0))
    here, first = made["links"]["track"], made["track"]["version"]["id"]
    await all_ended(api, made)
    again = await upload(api, alice, audio.tone(tmp_path / "second.flac", 2.0), f"{here}/audio")
    await all_ended(api, again)
    second = again["version_id"]
    shown = (await api.get(here)).json()
    assert (shown["version"]["id"], shown["version"]["duration_s"], shown["title"]) == (second, 2.0, "first")
    assert (await api.get(shown["links"]["hls_opus"])).status_code == 200
    page = (await api.get(f"{here}/versions?limit=1", headers=alice)).json()
    rest = (await api.get(page["next"], headers=alice)).json()
    lines = [*page["items"], *rest["items"]]
    assert [(line["id"], line["shown"]) for line in lines] == [(second, True), (first, False)]
    assert (await api.delete(f"{here}/versions/{second}", headers=alice)).status_code == 409
    back = await api.post(f"{here}/versions/{first}/restore", headers=alice)
    assert (back.status_code, back.json()["version"]["id"]) == (200, first)
    assert (await api.delete(f"{here}/versions/{second}", headers=alice)).status_code == 204
    assert (await api.post(f"{here}/versions/{second}/restore", headers=alice)).status_code == 404
    assert (await api.delete(here, headers=alice)).status_code == 204
    for path in (here, shown["links"]["hls_opus"], shown["links"]["waveform_json"]):
        assert (await api.get(path)).status_code == 404
    assert (await api.delete(here, headers=alice)).status_code == 404


async def test_others_are_refused_and_an_admin_is_not(api: httpx.AsyncClient, tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.3)
    made = await upload(api, await as_person(ALICE), file)
    here, version = made["links"]["track"], made["track"]["version"]["id"]
    bob, admin = await as_person(BOB, Role.OPERATOR), await as_person(BOB, Role.ADMIN)
    calls = [
        ("PUT", f"{here}/audio"), ("GET", f"{here}/versions"), ("POST", f"{here}/versions/{version}/restore"),
        ("DELETE", f"{here}/versions/{version}"), ("DELETE", here),
    ]  # fmt: skip
    for method, path in calls:
        assert (await api.request(method, path)).status_code == 401
        assert (await api.request(method, path, headers=bob)).status_code == 403
    await upload(api, admin, file, f"{here}/audio")
    assert (await api.delete(here, headers=admin)).status_code == 204


@pytest.mark.parametrize(("content", "status"), [(b"", 422), (b"no sound at all", 415), (b"RIFF" * 1_100_000, 413)])
async def test_a_replacement_is_checked_like_an_upload(
    api: httpx.AsyncClient, tmp_path: Path, content: bytes, status: int
) -> None:
    alice = await as_person(ALICE)
    made = await upload(api, alice, audio.tone(tmp_path / "a.wav", 0.3))
    path = f"{made['links']['track']}/audio"
    refused = await api.put(path, content=content, headers=alice | {"Content-Type": "audio/wav"})
    assert refused.status_code == status
    assert len((await api.get(f"{made['links']['track']}/versions", headers=alice)).json()["items"]) == 1


async def test_a_track_that_is_removed_stops_what_works_on_it(
    api: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await as_person(ALICE)
    program = tmp_path / "slow-ffmpeg"
    program.write_text("#!/bin/sh\nexec sleep 61\n")
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))
    made = await upload(api, alice, audio.tone(tmp_path / "a.wav", 1.0))
    await ended(api, made["run_ids"][0])
    runs = (await api.get(made["links"]["runs"])).json()["items"]
    [transcode] = [run["id"] for run in runs if run["task"] == "transcode_version"]
    await in_state(api, transcode, "running")
    assert (await api.delete(made["links"]["track"], headers=alice)).status_code == 204
    assert (await ended(api, transcode))["state"] == "cancelled"
    for run in runs:  # what needs no ffmpeg may have been done before
        assert (await ended(api, run["id"]))["state"] in ("cancelled", "succeeded")
