"""What only a local directory can get wrong."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from backend.errors import InvalidInput, Misconfigured, NotFound
from backend.settings import Settings
from backend.storage import Bucket, ObjectKey, Storage, hls_key, open_storage, original_key

KEY = original_key("v1", ".wav")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in (root / "objects").rglob("*") if path.is_file())


@pytest.fixture
def root(local: Storage, local_settings: Settings) -> Path:
    return local_settings.database.data_dir


async def test_objects_are_plain_files(local: Storage, root: Path) -> None:
    await local.put(KEY, b"RIFF")
    assert files(root) == ["objects/private/originals/v1.wav"]
    assert (root / "objects/private/originals/v1.wav").read_bytes() == b"RIFF"


async def test_deleting_leaves_no_empty_directories(local: Storage, root: Path) -> None:
    await local.put(hls_key("v1", "hls_opus", "init.mp4"), b"x")
    await local.delete(hls_key("v1", "hls_opus", "init.mp4"))
    assert list((root / "objects" / "public").iterdir()) == []


async def test_putting_and_deleting_side_by_side_never_fails(local: Storage) -> None:
    async def churn(name: str) -> None:
        for _ in range(40):
            key = hls_key("v1", "hls_opus", name)
            await local.put(key, name.encode())
            assert await local.read(key) == name.encode()
            await local.delete(key)

    await asyncio.gather(*(churn(f"{index}.m4s") for index in range(12)))


async def test_a_large_write_does_not_hold_the_loop(local: Storage, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(60_000_000))
    worst, done = 0.0, False

    async def watch() -> None:
        nonlocal worst
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            worst = max(worst, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await local.put(KEY, big)
    await local.download(KEY, tmp_path / "back")
    done = True
    await watching
    assert worst < 0.25, f"the loop stood still for {worst:.3f} s"


async def test_links_are_signed_and_expire(local: Storage) -> None:
    url = urlsplit(await local.url(KEY, timedelta(minutes=5)))
    assert url.path == "/objects/private/originals/v1.wav"
    assert local.verify_url("private", "originals/v1.wav", **dict(parse_qsl(url.query))) == KEY
    with pytest.raises(NotFound):
        local.verify_url("private", "originals/v2.wav", **dict(parse_qsl(url.query)))
    for bad in (timedelta(0), timedelta(days=8)):
        with pytest.raises(InvalidInput) as refused:
            await local.url(KEY, bad)
        assert refused.value.field == "expires_in"


async def test_public_objects_need_no_signature(local: Storage) -> None:
    assert await local.url(hls_key("v1", "hls_opus", "playlist.m3u8")) == "/objects/public/v1/hls_opus/playlist.m3u8"


async def test_a_public_base_url_is_used(local_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PUBLIC_URL", "https://cdn.example/")
    async with open_storage(Settings()) as store:
        assert await store.url(hls_key("v1", "hls_opus", "init.mp4")) == "https://cdn.example/v1/hls_opus/init.mp4"
        assert (await store.url(KEY)).startswith("/objects/private/")


async def test_links_survive_a_restart(local: Storage, local_settings: Settings) -> None:
    query = dict(parse_qsl(urlsplit(await local.url(KEY)).query))
    async with open_storage(local_settings) as again:
        assert again.verify_url("private", KEY.path, **query) == KEY


async def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(Misconfigured) as refused:
        async with open_storage(Settings()):
            pass
    assert refused.value.field == "DATA_DIR"


async def test_a_killed_upload_is_never_listed(local: Storage, root: Path) -> None:
    # What a process that was killed in the middle of an upload leaves behind.
    (root / "objects/private/originals").mkdir()
    (root / "objects/private/originals/v1.wav#1").write_bytes(b"half")
    assert [info async for info in local.list(Bucket.PRIVATE)] == []
    assert not await local.exists(KEY)
    await local.put(KEY, b"whole")
    assert await local.read(KEY) == b"whole"


async def test_a_key_under_another_object_is_an_error_of_ours(local: Storage) -> None:
    await local.put(ObjectKey(Bucket.PUBLIC, "a"), b"1")
    with pytest.raises(Exception, match="the object store failed for public/a/b"):
        await local.put(ObjectKey(Bucket.PUBLIC, "a/b"), b"2")
