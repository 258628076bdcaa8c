"""Objects as responses: types, caching, ranges. Against the local store and an ASGI application."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from backend.api import objects
from backend.api.boundary import RequestBoundary
from backend.api.delivery import Part, Unsatisfiable, wanted_part
from backend.api.problems import install_problems
from backend.settings import get_settings
from backend.storage import Bucket, ObjectKey, Storage, open_storage

BODY = bytes(range(256)) * 4000
KEY = ObjectKey(Bucket.PUBLIC, "v1/hls_opus/segment_000.m4s")
URL = f"/objects/public/{KEY.path}"


@pytest.fixture
async def store() -> AsyncIterator[Storage]:
    """A local store with one public object."""
    async with open_storage(get_settings()) as opened:
        await opened.put(KEY, BODY)
        yield opened


@pytest.fixture
async def client(store: Storage) -> AsyncIterator[httpx.AsyncClient]:
    """An application that has only the route of objects."""
    app = FastAPI()
    app.add_middleware(RequestBoundary)
    install_problems(app)
    app.include_router(objects.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


@pytest.mark.parametrize(
    ("header", "size", "part"),
    [
        (None, 10, None),
        ("bytes=0-3", 10, Part(0, 4)),
        ("bytes=4-", 10, Part(4, 10)),
        ("bytes=-3", 10, Part(7, 10)),
        ("bytes=-30", 10, Part(0, 10)),
        ("bytes=8-100", 10, Part(8, 10)),
        ("bytes=0-0", 10, Part(0, 1)),
        ("bytes=3-1", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("items=0-1", 10, None),
        ("bytes=a-b", 10, None),
    ],
)
def test_reads_a_range(header: str | None, size: int, part: Part | None) -> None:
    assert wanted_part(header, size) == part


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=-5", 0)]
)
def test_refuses_a_range_behind_the_end(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_part(header, size)


async def test_the_whole_object(client: httpx.AsyncClient) -> None:
    response = await client.get(URL)
    assert (response.status_code, response.content) == (200, BODY)
    assert response.headers["content-type"] == "video/iso.segment"
    assert response.headers["content-length"] == str(len(BODY))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["cache-control"] == "public, no-cache"
    assert response.headers["etag"].startswith('"')


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-99", 0, 100), ("1000000-", 1_000_000, None), ("-24", -24, None)]
)
async def test_a_part(client: httpx.AsyncClient, asked: str, start: int, end: int | None) -> None:
    response = await client.get(URL, headers={"Range": f"bytes={asked}"})
    wanted = BODY[start:end]
    first = start % len(BODY)
    assert (response.status_code, response.content) == (206, wanted)
    assert response.headers["content-range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(BODY)}"
    assert response.headers["content-length"] == str(len(wanted))


async def test_a_part_behind_the_end_says_how_long_it_is(client: httpx.AsyncClient) -> None:
    response = await client.get(URL, headers={"Range": f"bytes={len(BODY)}-"})
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(BODY)}")
    assert response.json()["field"] == "range"


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient, store: Storage) -> None:
    etag = (await client.get(URL)).headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        response = await client.get(URL, headers={"If-None-Match": known})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    await store.put(KEY, b"new")
    assert (await client.get(URL, headers={"If-None-Match": etag})).content == b"new"
    changed = await client.get(URL, headers={"If-Range": etag, "Range": "bytes=0-0"})
    assert (changed.status_code, changed.content) == (200, b"new")


async def test_head_says_the_same_without_the_bytes(client: httpx.AsyncClient) -> None:
    asked, told = await client.get(URL), await client.head(URL)
    assert (told.status_code, told.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert told.headers[name] == asked.headers[name]


@pytest.mark.parametrize("path", ["v1/none.m4s", "v1/..%2f..%2fsecret", "v1//x", ".hidden"])
async def test_what_is_not_there_or_no_name(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(f"/objects/public/{path}")
    assert response.status_code in (404, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_private_object_needs_its_signature(client: httpx.AsyncClient, store: Storage) -> None:
    key = ObjectKey(Bucket.PRIVATE, "originals/v1.wav")
    await store.put(key, b"RIFF")
    link = await store.url(key, timedelta(minutes=1))
    response = await client.get(link)
    assert (response.content, response.headers["cache-control"]) == (b"RIFF", "private, no-store")
    forged = link.replace("signature=", "signature=0")
    late = await store.url(key, timedelta(seconds=-0.0) + timedelta(microseconds=1))
    for wrong in (forged, link.replace("v1.wav", "v2.wav"), f"/objects/public/{key.path}"):
        assert (await client.get(wrong)).status_code == 404
    assert (await client.get("/objects/private/originals/v1.wav")).status_code == 422
    assert late
