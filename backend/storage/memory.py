"""Objects in this process's memory: the double of the real stores, for tests and trials."""

import secrets

from obstore.store import MemoryStore

from backend.storage.keys import Bucket
from backend.storage.objects import Storage
from backend.storage.signing import UrlSigner


def memory_storage() -> Storage:
    """Two empty buckets, gone with the process."""
    return Storage("memory", {bucket: MemoryStore() for bucket in Bucket}, UrlSigner(secrets.token_bytes(32)), None)
