"""The object store: two buckets, one set of operations, the same on a directory, on S3 and in memory."""

import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from obstore.store import S3Store

from backend.errors import InvalidInput, NotFound, Unavailable
from backend.storage.keys import Bucket, ObjectKey
from backend.storage.port import Backend, Content, Links, ObjectInfo, OpenObject
from backend.storage.signing import public_path
from backend.storage.translate import translated
from backend.storage.upload import save, upload

LONGEST_LINK = timedelta(days=7)  # what S3 allows


class Storage:
    """Objects by key. Raises NotFound for what is not there, and Unavailable when the store does not answer."""

    def __init__(self, name: str, buckets: Mapping[Bucket, Backend], links: Links, public_url: str | None) -> None:
        self.name = name
        self._buckets = buckets
        self._links = links
        self._public_url = public_url.rstrip("/") if public_url else None

    async def put(self, key: ObjectKey, content: Content) -> None:
        """Write bytes, a file, or a stream. What was there is replaced when the last byte has come, never before.

        When a stream ends with an error, or the caller is cancelled, nothing is left behind.
        """
        await upload(self._buckets[key.bucket], key, content)

    async def open(self, key: ObjectKey, start: int = 0, end: int | None = None) -> OpenObject:
        """Open for reading, from byte `start` to before `end`. Raises InvalidInput when the object ends before `start`."""
        if start < 0 or (end is not None and end <= start):
            raise InvalidInput(f"no bytes lie from {start} to {end}", field="range")
        whole = start == 0 and end is None
        part = {"offset": start} if end is None else (start, end)
        with translated(key):
            return OpenObject(
                key, await self._buckets[key.bucket].get_async(key.path, options=None if whole else {"range": part})
            )

    async def read(self, key: ObjectKey) -> bytes:
        """The whole object, for small ones."""
        return b"".join([chunk async for chunk in await self.open(key)])

    async def download(self, key: ObjectKey, file: Path) -> None:
        """Copy an object into a local file."""
        await save(await self.open(key), file)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        """What is known of an object without reading it."""
        with translated(key):
            meta = await self._buckets[key.bucket].head_async(key.path)
        return ObjectInfo(key, meta["size"], meta["last_modified"], meta["e_tag"])

    async def exists(self, key: ObjectKey) -> bool:
        """Whether there is such an object."""
        try:
            await self.head(key)
        except NotFound:
            return False
        return True

    async def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        """Write the source's bytes to `target` too. Within a bucket the store does it by itself."""
        if source.bucket is target.bucket and source.content_type == target.content_type:
            with translated(source):
                await self._buckets[source.bucket].copy_async(source.path, target.path)
            return
        await self.put(target, aiter(await self.open(source)))

    async def move(self, source: ObjectKey, target: ObjectKey) -> None:
        """Copy, then delete the source. A repeat is harmless: when only the target is there, it is done already."""
        if source == target:
            await self.head(source)
            return
        try:
            await self.copy(source, target)
        except NotFound:
            if not await self.exists(target):
                raise
        await self.delete(source)

    async def delete(self, *keys: ObjectKey) -> None:
        """Delete objects. One that is not there is no error."""
        for bucket, store in self._buckets.items():
            paths = [key.path for key in keys if key.bucket is bucket]
            with translated(bucket):
                # Only S3 deletes many in one request, and only S3 takes a missing one for deleted.
                if isinstance(store, S3Store) and paths:
                    await store.delete_async(paths)
                    continue
                for path in paths:
                    try:
                        await store.delete_async(path)
                    except FileNotFoundError:
                        continue

    async def list(self, bucket: Bucket, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """The objects under a prefix of whole parts: `a/b` names `a/b/c` but not `a/bc`. In no particular order."""
        folder = ObjectKey(bucket, prefix.rstrip("/")).path if prefix else None
        with translated(f"{bucket}/{prefix}"):
            async for page in self._buckets[bucket].list(folder):
                for meta in page:
                    key = ObjectKey(bucket, meta["path"])
                    yield ObjectInfo(key, meta["size"], meta["last_modified"], meta["e_tag"])

    async def url(self, key: ObjectKey, expires_in: timedelta = timedelta(hours=1)) -> str:
        """Where a client fetches the object: for ever when it is public, else by a link that expires."""
        if key.bucket is Bucket.PUBLIC:
            return f"{self._public_url}/{key.path}" if self._public_url else public_path(key)
        if not timedelta(0) < expires_in <= LONGEST_LINK:
            raise InvalidInput("a link lives for more than no time and at most seven days", field="expires_in")
        with translated(key):
            return await self._links.sign(key, expires_in)

    async def link_origin(self) -> str | None:
        """The origin (RFC 6454) that links to private objects lead to, for a page's policy. None: the page's own."""
        link = urlsplit(await self.url(ObjectKey(Bucket.PRIVATE, "origin")))
        return f"{link.scheme}://{link.netloc}" if link.netloc else None

    def verify_url(self, bucket: str, path: str, expires: str, signature: str) -> ObjectKey:
        """The object that a signed path of ours opens. Raises NotFound when it is forged, altered or too old."""
        return self._links.verify(bucket, path, expires, signature)

    async def check(self) -> None:
        """Write, read and delete an object in each bucket. Raises Misconfigured or Unavailable with what to mend."""
        for bucket in self._buckets:
            key, content = ObjectKey(bucket, f"checks/{secrets.token_hex(8)}"), secrets.token_bytes(32)
            await self.put(key, content)
            came = await self.read(key)
            await self.delete(key)
            if came != content:
                raise Unavailable(f"the {bucket} bucket gave back other bytes than were written")
