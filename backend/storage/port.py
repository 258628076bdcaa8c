"""What every object store offers, whatever stands behind it: the types that go in and come out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from obstore.store import LocalStore, MemoryStore, S3Store

from backend.storage.keys import ObjectKey
from backend.storage.translate import translated

if TYPE_CHECKING:
    from obstore import GetResult

Backend = LocalStore | S3Store | MemoryStore
Content = bytes | Path | AsyncIterator[bytes]

READ_CHUNK = 256 * 1024


@dataclass(frozen=True)
class ObjectInfo:
    """What is known of an object without reading it. `size` is in bytes."""

    key: ObjectKey
    size: int
    modified_at: datetime
    etag: str | None

    @property
    def content_type(self) -> str:
        """The type that its name says."""
        return self.key.content_type


class OpenObject:
    """An object that is being read: iterate for its bytes, once. `start` and `end` (exclusive) bound what comes."""

    def __init__(self, key: ObjectKey, result: "GetResult") -> None:
        meta = result.meta
        self.info = ObjectInfo(key, meta["size"], meta["last_modified"], meta["e_tag"])
        self.start, self.end = result.range
        self._stream = result.stream(min_chunk_size=READ_CHUNK)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with translated(self.info.key):
            async for chunk in self._stream:
                yield bytes(chunk)


class Links(Protocol):
    """How a private object is opened to somebody who has no account."""

    async def sign(self, key: ObjectKey, expires_in: timedelta) -> str:
        """A URL that gives the object's bytes until `expires_in` from now."""
        ...

    def verify(self, bucket: str, path: str, expires: str, signature: str) -> ObjectKey:
        """The object that a signed path of ours opens. Raises NotFound when it opens none."""
        ...
