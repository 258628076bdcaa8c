"""The player page as HTTP: what it forbids, what it escapes, what a browser may keep."""

import re
from pathlib import Path

import httpx
import pytest

from tests import audio

HOSTILE = "<script>alert(1)</script> \"a\" 'b' $id &amp; \u202eolleh\nsecond line"


async def _page(api: httpx.AsyncClient, tmp_path: Path, **fields: str) -> httpx.Response:
    sound = audio.tone(tmp_path / "tone.wav", 0.5).read_bytes()
    made = await api.post("/tracks", data=fields, files={"file": ("tone.wav", sound)})
    return await api.get(f"/t/{made.json()['track']['id']}")


async def test_a_page_runs_no_script_but_its_own(api: httpx.AsyncClient, tmp_path: Path) -> None:
    page = await _page(api, tmp_path, title="Song", artist="Nina")
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert (page.headers["x-content-type-options"], page.headers["cache-control"]) == ("nosniff", "no-cache")
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text) == []
    assert "<title>Song · Nina</title>" in page.text


async def test_titles_are_text(api: httpx.AsyncClient, tmp_path: Path) -> None:
    page = await _page(api, tmp_path, title=HOSTILE, artist='"><img src=x>')
    assert "<script>alert" not in page.text
    assert "<img src=x>" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &quot;a&quot; &#x27;b&#x27; $id &amp;amp;" in page.text


async def test_a_track_without_an_artist_has_a_page(api: httpx.AsyncClient, tmp_path: Path) -> None:
    page = await _page(api, tmp_path)
    assert (page.status_code, "Unknown artist" in page.text) == (200, True)


async def test_a_browser_keeps_the_files_until_they_change(api: httpx.AsyncClient, tmp_path: Path) -> None:
    page = await _page(api, tmp_path)
    named = set(re.findall(r'(?:src|href)="(/t/assets/[^"]+)"', page.text))
    assert {path.rpartition("/")[2] for path in named} == {
        "icon.svg", "player.css", "player.js", "hls.light.min.js",
    }  # fmt: skip
    for path in named:
        answer = await api.get(path)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True), path
    script = next(path for path in named if path.endswith("player.js"))
    answer = await api.get(script)
    assert answer.headers["content-type"].startswith("text/javascript")
    for module in re.findall(r'from "\./([^"]+)"', answer.text):
        assert (await api.get(script.replace("player.js", module))).status_code == 200
    other = await api.get("/t/assets/0000000000000000/player.js")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["none.js", "player.html", "..%2f..%2fplayer.py"])
async def test_nothing_else_is_given_away(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.get(f"/t/assets/0000000000000000/{name}")).status_code == 404


async def test_the_licence_of_what_is_not_ours_is_served_too(api: httpx.AsyncClient) -> None:
    answer = await api.get("/t/assets/0000000000000000/hls.LICENSE.txt")
    assert "Apache License, Version 2.0" in answer.text


@pytest.mark.parametrize("track_id", ["none", "01890000-0000-7000-8000-000000000000", "%3Cscript%3E"])
async def test_a_track_that_is_not_there(api: httpx.AsyncClient, track_id: str) -> None:
    page = await api.get(f"/t/{track_id}")
    assert (page.status_code, "There is no such track" in page.text) == (404, True)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
