"""A ZIP archive as a stream: stored, never deflated, for sound is compressed already, and never held as a whole."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from zipfile import ZIP_STORED

from zipstream import ZipStream

from backend.errors import Unavailable

T = TypeVar("T")
Chunks = AsyncIterator[bytes]
BLOCK = 1024 * 1024  # bytes that leave the packing thread at a time


@dataclass(frozen=True)
class Member:
    """One file of an archive. `open` is called when its turn has come; `size` is in bytes."""

    name: str
    size: int
    open: Callable[[], Chunks]


async def pack(members: Iterable[Member], last: Callable[[], tuple[str, bytes]]) -> AsyncIterator[bytes]:
    """The bytes of an archive of these members, in their order, closed by what `last` gives: a name and a small file.

    Headers and checksums are made in a thread, so the loop goes on. Memory is bounded by one block, whatever the size:
    a checksum follows its member in a data descriptor (PKWARE APPNOTE 4.3.9), and what is large is ZIP64.
    """
    packing = _Packing(asyncio.get_running_loop(), members, last)
    try:
        while block := await asyncio.to_thread(packing.next_block):
            yield block
    finally:
        packing.stop()


class _Packing:
    """The side of the thread. It asks the loop for the next chunk of a member, and waits for it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        members: Iterable[Member],
        last: Callable[[], tuple[str, bytes]],
    ) -> None:
        self._loop = loop
        self._stopped = threading.Event()
        self._blocks = self._write(members, last)

    def stop(self) -> None:
        """Ask the loop for nothing more."""
        self._stopped.set()

    def next_block(self) -> bytes:
        """Some bytes of the archive, or none at its end."""
        pieces, size = [], 0
        for piece in self._blocks:
            pieces.append(piece)
            size += len(piece)
            if size >= BLOCK:
                break
        return b"".join(pieces)

    def _write(self, members: Iterable[Member], last: Callable[[], tuple[str, bytes]]) -> Iterator[bytes]:
        stream = ZipStream(compress_type=ZIP_STORED)
        for member in members:
            stream.add(self._read(member), member.name, size=member.size)
            yield from stream.all_files()
        name, content = last()
        stream.add(content, name)
        yield from stream.finalize()

    def _read(self, member: Member) -> Iterator[bytes]:
        chunks, seen = member.open(), 0
        while chunk := self._from_loop(_next(chunks)):
            seen += len(chunk)
            yield chunk
        if seen != member.size:
            raise Unavailable(f"{member.name}: {seen:,} bytes came where {member.size:,} were announced")

    def _from_loop(self, work: Coroutine[Any, Any, T]) -> T:
        if self._stopped.is_set():
            work.close()
            raise Unavailable("the archive is not wanted any more")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _next(chunks: Chunks) -> bytes:
    # A way to the loop and back costs more than a chunk, so each brings a block of them.
    pieces, size = [], 0
    while size < BLOCK and (chunk := await anext(chunks, b"")):
        pieces.append(chunk)
        size += len(chunk)
    return b"".join(pieces)
