"""Artwork over HTTP: delivered with its type, its cache headers and in parts."""

from pathlib import Path

import httpx

from tests import audio
from tests.api.following import ended
from tests.domains.media.pictures import opened, plain


async def test_the_picture_and_its_thumbnail(api: httpx.AsyncClient, tmp_path: Path) -> None:
    file = audio.with_raw_cover(tmp_path / "a.mp3", plain("PNG"))
    made = await api.post("/tracks", files={"file": ("a.mp3", file.read_bytes())})
    here = made.json()["links"]["track"]
    await ended(api, made.json()["run_ids"][0])
    for run in (await api.get(made.json()["links"]["runs"])).json()["items"]:
        await ended(api, run["id"])
    track = (await api.get(here)).json()
    assert track["artwork"]["source"] == "embedded"
    for name, size in (("artwork", (300, 200)), ("thumbnail", (200, 200))):
        assert track["links"][name] == f"{here}/{name}.jpg"
        response = await api.get(track["links"][name])
        assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
        # The next version may bring another cover under this very URL.
        assert response.headers["cache-control"] == "public, no-cache"
        assert opened(response.content).size == size
        known = {"If-None-Match": response.headers["etag"]}
        assert (await api.get(track["links"][name], headers=known)).status_code == 304
        assert (await api.head(track["links"][name])).headers["content-length"] == str(len(response.content))
    assert (await api.get(track["artwork"]["thumbnail_url"])).content == response.content


async def test_what_is_not_there(api: httpx.AsyncClient) -> None:
    for name in ("artwork", "thumbnail"):
        response = await api.get(f"/tracks/none/{name}.jpg")
        assert (response.status_code, response.json()["field"]) == (404, "track_id")
