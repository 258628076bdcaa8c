"""Tracks over HTTP: a real upload through real ffmpeg, and every upload that must leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.models.runs import Run
from backend.db.session import database
from tests import audio
from tests.api.following import ended
from tests.conftest import set_environment

MB = 1_000_000
WAV_HEAD = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x44\xac\x00\x00\x10\xb1\x02\x00\x04\x00\x10\x00data\xff\xff\xff\xff"


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """Two seconds of a tone."""
    return audio.tone(tmp_path / "tone.wav", 2.0)


async def left_behind(tmp_path: Path) -> list[str]:
    """Rows of an upload, and files in the store."""
    found = []
    async with database().reading() as session:
        for model in (Track, TrackVersion, Asset, Run):
            if count := await session.scalar(select(func.count()).select_from(model)):
                found.append(f"{count} {model.__tablename__}")
    files = (tmp_path / "data" / "objects").rglob("*")
    return found + [str(file) for file in files if file.is_file()]


async def upload(api: httpx.AsyncClient, file: Path, **fields: str) -> httpx.Response:
    with file.open("rb") as content:
        return await api.post("/tracks", data=fields, files={"file": (file.name, content)})


async def through(api: httpx.AsyncClient, made: httpx.Response) -> dict[str, object]:
    """The track, once all its runs have ended."""
    assert made.status_code == 202, made.text
    await ended(api, made.json()["run_ids"][0])
    runs = (await api.get(made.json()["links"]["runs"])).json()["items"]
    for run in runs:
        await ended(api, run["id"])
    return (await api.get(made.json()["links"]["track"])).json()


async def test_a_track_goes_all_the_way_through(api: httpx.AsyncClient, wav: Path) -> None:
    made = await upload(api, wav, title="A Tone", artist="Sine")
    body = made.json()
    assert (body["track"]["title"], body["track"]["artist"]) == ("A Tone", "Sine")
    assert body["track"]["version"]["original"]["filename"] == "tone.wav"
    asked = (await api.get(f"/runs/{body['run_ids'][0]}")).json()["requested_by"]
    assert asked == f"POST /tracks {made.headers['X-Request-ID']}"
    assert body["track"]["version"]["original"]["mime"] == "audio/wav"
    track = await through(api, made)
    assert track["version"]["status"] == "ready"
    assert track["version"]["duration_s"] == 2.0
    assert track["version"]["loudness"]["integrated_lufs"] < 0
    waveforms = {f"waveform_{kind}" for kind in ("json", "dat", "png")}
    streams = {"hls", "hls_opus", "hls_aac"}
    assert set(track["links"]) == {"self", "page", "steps", "runs", *streams, *waveforms, "artwork", "thumbnail"}
    runs = (await api.get(track["links"]["runs"])).json()["items"]
    assert {run["task"] for run in runs} == {"ingest_upload", "transcode_version"}
    assert {run["state"] for run in runs} == {"succeeded"}


async def test_what_was_made_is_delivered(api: httpx.AsyncClient, wav: Path) -> None:
    track = await through(api, await upload(api, wav))
    playlist = await api.get(track["links"]["hls_opus"])
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.text.startswith("#EXTM3U")
    assert "#EXT-X-ENDLIST" in playlist.text
    here = track["links"]["hls_opus"].rpartition("/")[0]
    for name, kind in (("init.mp4", "audio/mp4"), ("segment_000.m4s", "video/iso.segment")):
        file = await api.get(f"{here}/{name}")
        assert (file.status_code, file.headers["content-type"]) == (200, kind)
        part = await api.get(f"{here}/{name}", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, file.content[4:8])
        assert (await api.get(f"{here}/{name}", headers={"If-None-Match": file.headers["etag"]})).status_code == 304
    master = await api.get(track["links"]["hls"])
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    named = [line for line in master.text.splitlines() if not line.startswith("#")]
    assert named == ["hls_opus/playlist.m3u8", "hls_aac/playlist.m3u8"]
    for name in named:
        assert (await api.get(f"{track['links']['hls'].rpartition('/')[0]}/{name}")).text.startswith("#EXTM3U")
    assert (await api.get(track["version"]["master_url"])).content == master.content
    waveform = (await api.get(track["links"]["waveform_json"])).json()
    assert (waveform["version"], waveform["bits"], waveform["length"] * 2) == (2, 8, len(waveform["data"]))
    binary = await api.get(track["links"]["waveform_dat"])
    assert binary.headers["content-type"] == "application/octet-stream"
    assert len(binary.content) == 24 + len(waveform["data"])
    picture = await api.get(track["links"]["waveform_png"])
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert (await api.get(track["version"]["streams"][0]["url"])).content == playlist.content


async def test_the_bare_body_is_a_file_too(api: httpx.AsyncClient, wav: Path) -> None:
    content = await asyncio.to_thread(wav.read_bytes)
    query = {"title": "Bare", "filename": "C:\\music\\../bare.wav"}
    made = await api.post("/tracks", params=query, content=content, headers={"Content-Type": "audio/wav"})
    track = made.json()["track"]
    assert (made.status_code, track["title"], track["version"]["original"]["filename"]) == (202, "Bare", "bare.wav")


async def test_a_track_without_a_title_is_called_like_its_file(api: httpx.AsyncClient, wav: Path) -> None:
    assert (await upload(api, wav)).json()["track"]["title"] == "tone"


async def test_what_is_not_there_is_not_found(api: httpx.AsyncClient, wav: Path) -> None:
    made = (await upload(api, wav)).json()["track"]["links"]["self"]
    for path, field in (
        ("/tracks/none", "track_id"),
        ("/tracks/none/waveform.png", "track_id"),
        ("/tracks/none/hls/hls_opus/playlist.m3u8", "track_id"),
        ("/tracks/none/hls/master.m3u8", "track_id"),
        (f"{made}/hls/hls_vinyl/playlist.m3u8", "format"),
    ):
        response = await api.get(path)
        assert (response.status_code, response.json()["field"]) == (404, field), path
    assert (await api.get(f"{made}/waveform.gif")).status_code == 422


async def test_lists_tracks_page_by_page(api: httpx.AsyncClient, wav: Path) -> None:
    made = [(await upload(api, wav, title=str(number))).json()["track"]["id"] for number in range(3)]
    first = (await api.get("/tracks?limit=2")).json()
    assert [track["id"] for track in first["items"]] == made[:0:-1]
    assert {track["status"] for track in first["items"]} <= {"pending", "processing", "ready"}
    rest = (await api.get(first["next"])).json()
    assert ([track["id"] for track in rest["items"]], rest["next"]) == (made[:1], None)


async def silent(size: int) -> AsyncIterator[bytes]:
    """A WAV that goes on and on, in pieces that announce nothing."""
    yield WAV_HEAD
    for _ in range(size // 65536 + 1):
        yield bytes(65536)


def form(*parts: tuple[str, str | None, bytes], end: bool = True) -> tuple[bytes, dict[str, str]]:
    """A multipart body by hand: name, filename, content."""
    body = b""
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename is not None else ""
        body += f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + (b"--edge--\r\n" if end else b""), {"Content-Type": "multipart/form-data; boundary=edge"}


WAVE = WAV_HEAD + bytes(100_000)
REFUSED = [
    ("text", *form(("file", "a.wav", b"hello, this is text")), 415, "file"),
    ("picture", *form(("file", "a.mp3", b"\x89PNG\r\n\x1a\n" + bytes(5000))), 415, "file"),
    ("empty file", *form(("file", "a.wav", b"")), 422, "file"),
    ("empty body", b"", {"Content-Type": "audio/wav"}, 422, "file"),
    ("no file", *form(("title", None, b"x")), 422, "file"),
    ("empty form", *form(), 422, "file"),
    ("two files", *form(("file", "a.wav", WAVE), ("file", "b.wav", WAVE)), 422, "file"),
    ("field behind the file", *form(("file", "a.wav", WAVE), ("title", None, b"x")), 422, "title"),
    ("cut form", *form(("file", "a.wav", WAVE), end=False), 422, "file"),
    ("huge field", *form(("title", None, b"x" * 20_000), ("file", "a.wav", WAVE)), 422, "title"),
    ("many fields", *form(*[(f"f{n}", None, b"x") for n in range(30)]), 422, "body"),
    ("garbage", b"--other\r\nnothing like a form", {"Content-Type": "multipart/form-data; boundary=edge"}, 422, "body"),
    ("no boundary", WAVE, {"Content-Type": "multipart/form-data"}, 422, "content-type"),
    ("json", b"{}", {"Content-Type": "application/json"}, 415, "content-type"),
    ("announced too large", WAV_HEAD + bytes(4_100_000), {"Content-Type": "audio/wav"}, 413, "file"),
    ("too large form", *form(("file", "a.wav", WAV_HEAD + bytes(3 * MB))), 413, "file"),
]


@pytest.mark.parametrize(
    ("content", "headers", "status", "field"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_a_refused_upload_leaves_nothing_behind(
    api: httpx.AsyncClient, tmp_path: Path, content: bytes, headers: dict[str, str], status: int, field: str
) -> None:
    response = await api.post("/tracks", content=content, headers=headers)
    assert (response.status_code, response.json()["field"]) == (status, field), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert await left_behind(tmp_path) == []


async def test_too_much_that_was_not_announced_leaves_nothing_behind(api: httpx.AsyncClient, tmp_path: Path) -> None:
    response = await api.post("/tracks", content=silent(8 * MB), headers={"Content-Type": "audio/wav"})
    assert (response.status_code, response.json()["field"]) == (413, "file")
    assert await left_behind(tmp_path) == []


async def test_a_sender_that_breaks_off_leaves_nothing_behind(api: httpx.AsyncClient, tmp_path: Path) -> None:
    where = urlsplit(str(api.base_url))
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        b"POST /tracks HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: 2000000\r\n\r\n" + WAVE
    )
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.transport.abort()
    async with asyncio.timeout(20):
        while await left_behind(tmp_path):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await api.get("/health/live")).status_code == 200


async def test_a_file_that_is_cut_short_fails_with_a_reason(api: httpx.AsyncClient, tmp_path: Path) -> None:
    track = await through(api, await upload(api, audio.truncated(tmp_path / "cut.flac")))
    assert track["version"]["status"] == "failed"
    assert "cut short" in track["version"]["error"]
    [run] = (await api.get(track["links"]["runs"])).json()["items"]
    assert (run["state"], run["error_type"], run["attempt"]) == ("dead", "InvalidInput", 1)
    assert set(track["links"]) == {"self", "page", "steps", "runs"}


async def test_a_large_upload_is_not_held_in_memory(
    api: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, UPLOAD_LIMIT_MB="300")  # the server was made with less, but this announces nothing
    before = psutil.Process().memory_info().rss
    most = 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal most
        async for chunk in silent(150 * MB):
            most = max(most, psutil.Process().memory_info().rss)
            yield chunk

    made = await api.post("/tracks", content=watched(), headers={"Content-Type": "audio/wav"})
    assert made.status_code == 202
    assert most - before < 90 * MB
    await api.post(f"/runs/{made.json()['run_ids'][0]}/cancel")
