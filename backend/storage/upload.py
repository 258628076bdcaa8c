"""A stream into an object: whole or not at all, in constant memory, and undone when the sender stops."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

from obstore.store import LocalStore

from backend.errors import Unavailable
from backend.storage.keys import ObjectKey
from backend.storage.port import READ_CHUNK, Backend, Content, OpenObject
from backend.storage.translate import translated

PART = 5 * 1024 * 1024  # the smallest part S3 takes
PARALLEL_PARTS = 4
_QUEUED = 8  # chunks between the sender and the store
_UNDO_S = 10.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _Stopped(Exception):
    """The sender stopped. Raised inside the store's own upload, which then undoes its parts."""


async def upload(store: Backend, key: ObjectKey, content: Content) -> None:
    """Write `content` to `key`. Nobody sees the object before its last byte is there."""
    # A local directory keeps no attributes, and refuses them.
    attributes = None if isinstance(store, LocalStore) else {"Content-Type": key.content_type}
    if isinstance(content, Path):
        size = (await asyncio.to_thread(content.stat)).st_size
        content = await asyncio.to_thread(content.read_bytes) if size <= PART else _read(content)
    if isinstance(content, bytes):
        with translated(key):
            await store.put_async(key.path, content, attributes=attributes, use_multipart=False)
        return
    await _stream(store, key, content, attributes)


async def _stream(
    store: Backend, key: ObjectKey, chunks: AsyncIterator[bytes], attributes: dict[str, str] | None
) -> None:
    # Cancelling the store's upload would leave its finished parts behind. So the upload is a task of its own, fed
    # through a queue, and it is ended by an error that comes out of its input: then it removes what it has sent.
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=_QUEUED)
    stopped = False

    async def feed() -> AsyncIterator[bytes]:
        while (chunk := await queue.get()) is not None:
            yield chunk
        if stopped:
            raise _Stopped

    sending = asyncio.ensure_future(
        store.put_async(key.path, feed(), attributes=attributes, chunk_size=PART, max_concurrency=PARALLEL_PARTS)
    )
    # When the store gives up, nobody takes from the queue any more; the sender must not wait for room in it.
    sending.add_done_callback(lambda _: _empty(queue))
    try:
        async for chunk in chunks:
            if sending.done():
                break
            if chunk:
                await queue.put(chunk)
        await queue.put(None)
        with translated(key):
            await asyncio.shield(sending)
    finally:
        if not sending.done():
            stopped = True
            _empty(queue)
            queue.put_nowait(None)
            await asyncio.wait({sending}, timeout=_UNDO_S)
        with suppress(asyncio.InvalidStateError, asyncio.CancelledError):
            sending.exception()  # looked at, so that nobody warns of it: it echoes the error on its way out


def _empty(queue: asyncio.Queue[bytes | None]) -> None:
    with suppress(asyncio.QueueEmpty):
        while True:
            queue.get_nowait()


async def _read(file: Path) -> AsyncIterator[bytes]:
    source = await asyncio.to_thread(file.open, "rb")
    try:
        while chunk := await asyncio.to_thread(source.read, READ_CHUNK):
            yield chunk
    finally:
        source.close()


async def save(opened: OpenObject, file: Path) -> None:
    """Write an object to a local file, without blocking the loop. Raises Unavailable when the disk is full."""
    try:
        # Unbuffered: what does not fit is refused at the write, not once more when the file is closed.
        target = await asyncio.to_thread(file.open, "wb", buffering=0)
        try:
            async for chunk in opened:
                await asyncio.to_thread(_write, target, chunk)
        finally:
            await asyncio.to_thread(target.close)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        reason = f"there is no space for a copy of {opened.info.key}: free some in the directory that TMPDIR names"
        raise Unavailable(reason) from error


def _write(target: RawIOBase, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[target.write(left) or 0 :]
