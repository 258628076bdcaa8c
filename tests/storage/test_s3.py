"""What only an S3 service can get wrong, against a real one."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.errors import Misconfigured, NotFound, Unavailable
from backend.settings import Settings
from backend.storage import Storage, hls_key, open_storage, original_key
from tests.servers import free_port
from tests.storage.moto import MotoServer

KEY = original_key("v1", ".flac")
PUBLIC = hls_key("v1", "hls_opus", "playlist.m3u8")


def unfinished(moto: MotoServer, settings: Settings) -> int:
    _, body = moto.request("GET", f"/{settings.storage.storage_private_bucket}?uploads")
    return body.count(b"<UploadId>")


def fetch(url: str) -> tuple[int, str | None, bytes]:
    parts = urlsplit(url)
    assert parts.hostname
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    got = answer.status, answer.getheader("Content-Type"), answer.read()
    connection.close()
    return got


async def test_a_presigned_link_gives_the_bytes_and_their_type(s3: Storage) -> None:
    await s3.put(KEY, b"fLaC")
    url = await s3.url(KEY, timedelta(minutes=5))
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == ["300"]
    assert query["X-Amz-Signature"]
    assert await asyncio.to_thread(fetch, url) == (200, "audio/flac", b"fLaC")


async def test_every_way_in_keeps_the_type(s3: Storage) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"fLaC"

    other = original_key("v2", ".flac")
    for put in (s3.put(KEY, b"fLaC"), s3.put(KEY, stream()), s3.copy(KEY, other)):
        await put
    for key in (KEY, other):
        assert (await asyncio.to_thread(fetch, await s3.url(key)))[1] == "audio/flac"


async def test_no_link_of_a_service_is_ours_to_open(s3: Storage) -> None:
    with pytest.raises(NotFound):
        s3.verify_url("private", KEY.path, "9999999999", "0" * 64)


async def test_public_objects_have_the_configured_base(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_storage(Settings()) as store:
        assert await store.url(PUBLIC) == "/objects/public/v1/hls_opus/playlist.m3u8"
    monkeypatch.setenv("STORAGE_PUBLIC_URL", "https://cdn.example")
    async with open_storage(Settings()) as store:
        assert await store.url(PUBLIC) == "https://cdn.example/v1/hls_opus/playlist.m3u8"


@pytest.mark.parametrize("how", ["error", "cancel", "cancel while waiting"])
async def test_no_parts_of_a_broken_upload_stay(s3: Storage, moto: MotoServer, s3_settings: Settings, how: str) -> None:
    sent = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(14):
            yield b"x" * 1_000_000
        while not unfinished(moto, s3_settings):
            yield b"x" * 1_000_000
            await asyncio.sleep(0.05)
        sent.set()
        if how == "error":
            raise ConnectionResetError("gone")
        while how == "cancel":
            yield b"x" * 1_000
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    sending = asyncio.create_task(s3.put(KEY, parts()))
    await sent.wait()
    if how != "error":
        sending.cancel()
    with pytest.raises((ConnectionResetError, asyncio.CancelledError)):
        await sending
    assert unfinished(moto, s3_settings) == 0
    assert not await s3.exists(KEY)


async def test_a_missing_bucket_is_a_setting_to_mend(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PRIVATE_BUCKET", "nobody-made-this")
    async with open_storage(Settings()) as store:
        for call in (store.put(KEY, b"x"), store.read(KEY), store.check()):
            with pytest.raises(Misconfigured, match="bucket does not exist"):
                await call


async def test_a_service_that_is_away_is_unavailable_soon(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_ENDPOINT", f"http://127.0.0.1:{free_port()}")

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 500_000

    async with open_storage(Settings()) as store:
        began = time.monotonic()
        for call in (
            store.put(KEY, b"x"),
            store.put(KEY, stream()),
            store.read(KEY),
            store.head(KEY),
            store.delete(KEY),
        ):
            with pytest.raises(Unavailable, match="object store failed"):
                await call
        assert time.monotonic() - began < 20


async def test_a_service_that_comes_back_is_used_again(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with MotoServer() as moto:
        monkeypatch.setenv("STORAGE_ENDPOINT", moto.url)
        async with open_storage(Settings()) as store:
            moto.make_bucket(s3_settings.storage.storage_private_bucket)
            await store.put(KEY, b"1")
            moto.kill()
            with pytest.raises(Unavailable):
                await store.put(KEY, b"2")
            moto.start()
            moto.make_bucket(s3_settings.storage.storage_private_bucket)
            await store.put(KEY, b"3")
            assert await store.read(KEY) == b"3"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STORAGE_ENDPOINT", "localhost:9000"),
        ("STORAGE_SECRET_ACCESS_KEY", None),
        ("STORAGE_ACCESS_KEY_ID", None),
        ("STORAGE_PUBLIC_BUCKET", "same"),
        ("STORAGE_ENDPOINT", None),
    ],
)
async def test_settings_that_cannot_work_are_refused_at_once(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None
) -> None:
    monkeypatch.setenv("STORAGE_PRIVATE_BUCKET", "same")
    monkeypatch.setenv("STORAGE_REGION", "auto")
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured, match=r"STORAGE_|bucket"):
        async with open_storage(Settings()):
            pass
