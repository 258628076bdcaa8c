"""A gated track over HTTP: its owner plays it by signed links that end; nobody else gets a byte of it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters import ffmpeg
from backend.domains.federation.sign_ins import Role
from backend.domains.media.gated import signed_playlist
from backend.settings import get_settings
from backend.storage import Bucket, ObjectKey, export_key, hls_key, open_storage, storage
from tests import audio
from tests.api.following import ended
from tests.api.test_own_tracks import ALICE, BOB, all_ended, as_person, upload
from tests.storage.conftest import moto, s3_settings  # noqa: F401


@pytest.fixture
async def alice(api: httpx.AsyncClient) -> dict[str, str]:
    """Headers of the owner."""
    return await as_person(ALICE)


@pytest.fixture
async def gated(api: httpx.AsyncClient, alice: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    """A gated track of Alice's, as she sees it, all of it at home."""
    made = await upload(api, alice, audio.tone(tmp_path / "song.wav", 7.0))
    await all_ended(api, made)
    return await close_gate(api, alice, made["links"]["track"])


async def close_gate(api: httpx.AsyncClient, headers: dict[str, str], here: str, gated: bool = True) -> dict[str, Any]:
    changed = await api.patch(here, json={"gated": gated}, headers=headers)
    assert (changed.status_code, changed.json()["gated"]) == (200, gated)
    [run] = (await api.get(f"/runs?task=move_audio&limit=1&text={here.rpartition('/')[2]}")).json()["items"]
    done = await ended(api, run["id"])
    assert (done["state"], done["result"]["home"]) == ("succeeded", "private" if gated else "public")
    return (await api.get(here, headers=headers)).json()


def files_of(playlist: str) -> list[str]:
    """The addresses in a playlist."""
    lines = playlist.splitlines()
    [init] = [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP")]
    return [init, *(line for line in lines if line and not line.startswith("#"))]


async def test_the_owner_plays_it_by_signed_links(
    api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any], base_url: str, tmp_path: Path
) -> None:
    playlist = await api.get(gated["links"]["hls_opus"], headers=alice)
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.headers["cache-control"] == "private, no-store"
    files = files_of(playlist.text)
    assert len(files) == 3
    for file in files:  # a player sends no sign-in along
        assert file.startswith("/objects/private/")
        fetched = await api.get(file)
        assert (fetched.status_code, fetched.headers["cache-control"]) == (200, "private, no-store")
    sound = tmp_path / "heard.mp4"
    content = b"".join([(await api.get(file)).content for file in files])
    await asyncio.to_thread(sound.write_bytes, content)
    heard = tmp_path / "heard.wav"
    await ffmpeg.run([*ffmpeg.source(sound), str(heard)], cwd=tmp_path)
    assert heard.stat().st_size > 7 * 44_100 * 2
    for name in ("hls", "waveform_json", "waveform_png", "artwork", "thumbnail"):
        answer = await api.get(gated["links"][name], headers=alice)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")
    assert (await api.get(gated["version"]["waveform"]["json_url"])).status_code == 200


async def test_nobody_else_gets_a_byte(api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any]) -> None:
    here, links = f"/tracks/{gated['id']}", gated["links"]
    segment = links["hls_opus"].replace("playlist.m3u8", "segment_000.m4s")
    bob, admin = await as_person(BOB, Role.OPERATOR), await as_person(BOB, Role.ADMIN)
    others = [links[name] for name in ("hls", "waveform_json", "waveform_png", "artwork", "thumbnail")]
    for path in (links["hls_opus"], segment, *others):
        for method in ("GET", "HEAD"):
            assert (await api.request(method, path)).status_code == 401
            assert (await api.request(method, path, headers=bob)).status_code == 403
        assert (await api.get(path, headers=admin)).status_code == 200
    for headers in ({}, bob):
        seen = (await api.get(here, headers=headers)).json()
        assert (seen["title"], seen["gated"], set(seen["links"])) == ("song", True, {"self", "page", "steps", "runs"})
        assert seen["version"]["master_url"] is seen["version"]["waveform"] is seen["artwork"] is None
        assert {stream["url"] for stream in seen["version"]["streams"]} == {None}
    public = [info async for info in storage().list(Bucket.PUBLIC)]
    assert public == []
    for name in ("hls_opus/playlist.m3u8", "hls_opus/segment_000.m4s", "waveform.json", "master.m3u8"):
        for bucket in ("public", "private"):
            refused = await api.get(f"/objects/{bucket}/{gated['version']['id']}/{name}")
            assert refused.status_code in (404, 422)


async def test_links_that_are_unsigned_tampered_with_or_over_open_nothing(
    api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any]
) -> None:
    init, first, second = files_of((await api.get(gated["links"]["hls_opus"], headers=alice)).text)
    path, _, query = first.partition("?")
    signature = query.partition("signature=")[2]
    later = query.replace("expires=", "expires=1")
    wrong = [
        path,
        f"{path}?expires=9999999999",
        f"{path}?{later}",
        f"{path}?{query[:-1]}{'0' if query[-1] != '0' else '1'}",
        f"{second.partition('?')[0]}?{query}",
        f"{init.partition('?')[0]}?{query}",
        f"/objects/private/originals/{gated['version']['id']}.wav?{query}",
        f"{path}?expires=&signature={signature}",
    ]
    for address in wrong:
        assert (await api.get(address)).status_code in (404, 422), address
    short = await storage().url(ObjectKey(Bucket.PRIVATE, path.removeprefix("/objects/private/")), timedelta(seconds=6))
    assert (await api.get(short)).status_code == 200
    await asyncio.sleep(7.1)
    assert (await api.get(short)).status_code == 404


async def test_an_open_gate_is_open_again(api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any]) -> None:
    seen = await close_gate(api, alice, f"/tracks/{gated['id']}", gated=False)
    playlist = await api.get(seen["links"]["hls_opus"])
    assert (playlist.status_code, playlist.headers["cache-control"]) == (200, "public, no-cache")
    assert "segment_000.m4s\n" in playlist.text
    assert (await api.get(seen["version"]["waveform"]["json_url"])).status_code == 200
    left = [info.key.path async for info in storage().list(Bucket.PRIVATE)]
    assert left == [f"originals/{seen['version']['id']}.wav"]


async def test_what_is_sent_to_a_gated_track_is_never_public(
    api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any], tmp_path: Path
) -> None:
    seen: set[str] = set()
    again = await upload(api, alice, audio.tone(tmp_path / "b.wav", 2.0), f"/tracks/{gated['id']}/audio")
    made = asyncio.create_task(all_ended(api, again))
    while not made.done():
        seen |= {info.key.path async for info in storage().list(Bucket.PUBLIC)}
        await asyncio.sleep(0.01)
    await made
    assert seen == set()
    shown = (await api.get(f"/tracks/{gated['id']}", headers=alice)).json()
    assert shown["version"]["id"] == again["version_id"]
    assert (await api.get(shown["links"]["hls_opus"], headers=alice)).status_code == 200


async def test_only_its_owner_moves_the_gate(api: httpx.AsyncClient, alice: dict[str, str], tmp_path: Path) -> None:
    made = await upload(api, alice, audio.tone(tmp_path / "a.wav", 0.3))
    here, bob = made["links"]["track"], await as_person(BOB)
    assert (await api.patch(here, json={"gated": True})).status_code == 401
    assert (await api.patch(here, json={"gated": True}, headers=bob)).status_code == 403
    for wrong in ({"gated": "yes"}, {"gated": 1}, {"title": ""}, {"title": "x" * 501}, {"owner": BOB}, []):
        assert (await api.patch(here, json=wrong, headers=alice)).status_code == 422
    renamed = await api.patch(here, json={"title": "Night Drive"}, headers=alice)
    assert (renamed.json()["title"], renamed.json()["gated"]) == ("Night Drive", False)


async def test_originals_and_archives_are_never_public(
    api: httpx.AsyncClient, alice: dict[str, str], gated: dict[str, Any]
) -> None:
    export = (await api.post("/exports", headers=alice)).json()
    run = await ended(api, export["export"]["run_id"])
    assert run["state"] == "succeeded"
    for key in (
        ObjectKey(Bucket.PRIVATE, f"originals/{gated['version']['id']}.wav"),
        export_key(export["export"]["id"]),
    ):
        assert await storage().exists(key)
        assert not await storage().exists(key.within(Bucket.PUBLIC))
        for bucket in ("private", "public"):
            assert (await api.get(f"/objects/{bucket}/{key.path}")).status_code in (404, 422)


async def test_on_s3_the_service_itself_checks_the_links(s3_settings: object) -> None:  # noqa: F811
    folder = "0192a6b1-7b02-7a4f-8d20-6c7b8a9e1f44"
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.0,\nsegment_000.m4s\n#EXT-X-ENDLIST\n'
    async with open_storage(get_settings()) as store, httpx.AsyncClient() as anyone:
        key = hls_key(folder, "hls_opus", "playlist.m3u8").within(Bucket.PRIVATE)
        for name, content in (("playlist.m3u8", text.encode()), ("init.mp4", b"init"), ("segment_000.m4s", b"sound")):
            await store.put(hls_key(folder, "hls_opus", name).within(Bucket.PRIVATE), content)
        signed = (await signed_playlist(key)).decode()
        init, segment = files_of(signed)
        assert ((await anyone.get(init)).content, (await anyone.get(segment)).content) == (b"init", b"sound")
        assert "X-Amz-Signature" in segment
        assert signed.endswith("#EXT-X-ENDLIST\n")
