"""The object store of this process: one port over a local directory or an S3-compatible service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.settings import Settings
from backend.storage.keys import (
    Bucket,
    ObjectKey,
    artwork_key,
    export_key,
    hls_key,
    hls_prefix,
    master_key,
    original_key,
    owner_of,
    waveform_key,
)
from backend.storage.local import local_storage
from backend.storage.memory import memory_storage
from backend.storage.objects import Storage
from backend.storage.port import ObjectInfo, OpenObject
from backend.storage.s3 import s3_storage

__all__ = [
    "Bucket",
    "ObjectInfo",
    "ObjectKey",
    "OpenObject",
    "Storage",
    "artwork_key",
    "export_key",
    "hls_key",
    "hls_prefix",
    "master_key",
    "memory_storage",
    "open_storage",
    "original_key",
    "owner_of",
    "storage",
    "use_storage",
    "waveform_key",
]

_storage: Storage | None = None


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """Make the store that the settings name this process's storage until the block ends.

    Raises Misconfigured when the settings cannot work. The service is not asked: `Storage.check` does that.
    """
    store = settings.storage
    opened = (
        s3_storage(store)
        if store.storage_backend == "s3"
        else local_storage(settings.database.data_dir, store.storage_url_secret, store.storage_public_url)
    )
    async with use_storage(opened):
        yield opened


@asynccontextmanager
async def use_storage(chosen: Storage) -> AsyncIterator[Storage]:
    """Make `chosen` this process's storage until the block ends."""
    global _storage
    previous, _storage = _storage, chosen
    try:
        yield chosen
    finally:
        _storage = previous


def storage() -> Storage:
    """The process's storage. Raises RuntimeError when none is open."""
    if _storage is None:
        raise RuntimeError("no storage is open: use `async with open_storage(...)`")
    return _storage
