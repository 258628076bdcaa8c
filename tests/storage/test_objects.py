"""The contract of the port, held by every store behind it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.errors import InvalidInput, NotFound
from backend.storage import Bucket, ObjectKey, Storage

KEY = ObjectKey(Bucket.PRIVATE, "originals/v1.flac")
OTHER = ObjectKey(Bucket.PUBLIC, "v1/hls_opus/init.mp4")


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def names(store: Storage, bucket: Bucket, prefix: str = "") -> list[str]:
    return sorted([info.key.path async for info in store.list(bucket, prefix)])


async def test_bytes_come_back_with_size_and_type(store: Storage) -> None:
    await store.put(KEY, b"abc")
    info = await store.head(KEY)
    assert (await store.read(KEY), info.size, info.content_type) == (b"abc", 3, "audio/flac")
    assert info.modified_at.tzinfo is not None
    assert info.etag


async def test_an_object_may_be_empty(store: Storage) -> None:
    await store.put(KEY, b"")
    assert await store.read(KEY) == b""
    await store.put(OTHER, chunks())
    assert (await store.head(OTHER)).size == 0


async def test_put_replaces(store: Storage) -> None:
    await store.put(KEY, b"old, and longer")
    await store.put(KEY, b"new")
    assert await store.read(KEY) == b"new"


@pytest.mark.parametrize("size", [0, 100, 5 * 1024 * 1024 + 1])
async def test_a_file_goes_up_and_comes_down(store: Storage, tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    await store.put(KEY, source)
    await store.download(KEY, target)
    assert target.read_bytes() == source.read_bytes()


async def test_a_stream_of_many_parts_goes_up_whole(store: Storage) -> None:
    parts = [os.urandom(1_000_003) for _ in range(13)]
    await store.put(KEY, chunks(*parts))
    opened = await store.open(KEY)
    digest = hashlib.sha256()
    async for chunk in opened:
        digest.update(chunk)
    assert opened.info.size == sum(map(len, parts))
    assert digest.digest() == hashlib.sha256(b"".join(parts)).digest()


@pytest.mark.parametrize("sent", [1_000, 6_000_000, 40_000_000])
async def test_a_stream_that_breaks_leaves_nothing(store: Storage, sent: int) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        for _ in range(sent // 50_000 or 1):
            yield b"x" * 50_000
        raise ConnectionResetError("the client left")

    with pytest.raises(ConnectionResetError, match="the client left"):
        await store.put(KEY, breaks())
    assert not await store.exists(KEY)
    assert await names(store, Bucket.PRIVATE) == []


async def test_a_stream_that_breaks_keeps_what_was_there(store: Storage) -> None:
    await store.put(KEY, b"old")

    async def breaks() -> AsyncIterator[bytes]:
        yield b"half of the new"
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await store.put(KEY, breaks())
    assert await store.read(KEY) == b"old"


async def test_nobody_sees_half_an_object(store: Storage) -> None:
    await store.put(KEY, b"old")
    seen = []

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"n" * 1_000_000
            seen.append(((await store.head(KEY)).size, await names(store, Bucket.PRIVATE)))

    await store.put(KEY, slow())
    assert set(map(str, seen)) == {str((3, [KEY.path]))}
    assert (await store.head(KEY)).size == 8_000_000


async def test_a_cancelled_stream_leaves_nothing(store: Storage) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000
            started.set()
            await asyncio.sleep(0.002)

    sending = asyncio.create_task(store.put(KEY, endless()))
    await started.wait()
    await asyncio.sleep(0.1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await names(store, Bucket.PRIVATE) == []


@pytest.mark.parametrize(
    ("start", "end", "bytes_"), [(0, 1, b"0"), (2, 5, b"234"), (7, None, b"789"), (5, 99, b"56789")]
)
async def test_a_range_comes(store: Storage, start: int, end: int | None, bytes_: bytes) -> None:
    await store.put(KEY, b"0123456789")
    opened = await store.open(KEY, start, end)
    assert b"".join([chunk async for chunk in opened]) == bytes_
    assert (opened.start, opened.end, opened.info.size) == (start, start + len(bytes_), 10)


@pytest.mark.parametrize(("start", "end"), [(10, None), (11, 12), (-1, None), (3, 3), (4, 2)])
async def test_an_impossible_range_is_refused(store: Storage, start: int, end: int | None) -> None:
    await store.put(KEY, b"0123456789")
    with pytest.raises(InvalidInput) as refused:
        await store.open(KEY, start, end)
    assert refused.value.field == "range"


async def test_what_is_not_there_is_not_found(store: Storage, tmp_path: Path) -> None:
    for call in (
        store.open(KEY),
        store.head(KEY),
        store.download(KEY, tmp_path / "x"),
        store.copy(KEY, OTHER),
        store.move(KEY, OTHER),
    ):
        with pytest.raises(NotFound, match=r"private/originals/v1\.flac"):
            await call
    assert not await store.exists(KEY)


async def test_delete_is_idempotent(store: Storage) -> None:
    await store.put(KEY, b"1")
    await store.put(OTHER, b"2")
    await store.delete(KEY, OTHER, ObjectKey(Bucket.PRIVATE, "never/was"))
    await store.delete(KEY)
    assert not await store.exists(KEY)
    assert not await store.exists(OTHER)


@pytest.mark.parametrize("target", ["originals/v2.flac", "originals/v2.wav"])
async def test_copy_keeps_the_source(store: Storage, target: str) -> None:
    await store.put(KEY, b"abc")
    copied = ObjectKey(Bucket.PRIVATE, target)
    await store.copy(KEY, copied)
    assert (await store.read(KEY), await store.read(copied)) == (b"abc", b"abc")


async def test_move_crosses_buckets_and_may_be_repeated(store: Storage) -> None:
    await store.put(KEY, b"abc")
    public = ObjectKey(Bucket.PUBLIC, KEY.path)
    for _ in range(2):
        await store.move(KEY, public)
        assert await store.read(public) == b"abc"
        assert not await store.exists(KEY)
    await store.move(public, public)
    assert await store.exists(public)


async def test_list_knows_whole_parts_only(store: Storage) -> None:
    for path in ("v1/a/1", "v1/a/2", "v1/ab/3", "v2/a/4"):
        await store.put(ObjectKey(Bucket.PUBLIC, path), b"x")
    assert (
        await names(store, Bucket.PUBLIC, "v1/a/") == await names(store, Bucket.PUBLIC, "v1/a") == ["v1/a/1", "v1/a/2"]
    )
    assert len(await names(store, Bucket.PUBLIC)) == 4
    assert await names(store, Bucket.PUBLIC, "v3") == await names(store, Bucket.PRIVATE) == []
    with pytest.raises(InvalidInput):
        await names(store, Bucket.PUBLIC, "../private")


async def test_many_at_once(store: Storage) -> None:
    keys = [ObjectKey(Bucket.PUBLIC, f"deep/{index % 7}/{index}.json") for index in range(100)]
    await asyncio.gather(*(store.put(key, str(key).encode()) for key in keys))
    assert await asyncio.gather(*map(store.read, keys)) == [str(key).encode() for key in keys]
    await store.delete(*keys)
    assert await names(store, Bucket.PUBLIC) == []


async def test_the_check_passes_and_leaves_nothing(store: Storage) -> None:
    await store.check()
    assert await names(store, Bucket.PRIVATE) == await names(store, Bucket.PUBLIC) == []
