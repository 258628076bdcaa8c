"""Objects in two buckets of an S3-compatible service: AWS, R2, MinIO."""

from datetime import timedelta
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store

from backend.errors import Misconfigured, NotFound
from backend.settings.storage import StorageSettings
from backend.storage.keys import Bucket, ObjectKey
from backend.storage.objects import Storage

# The store's own limit on a whole request would cut a long download; what must not be long is a silence.
_CLIENT = {
    "timeout": timedelta(hours=1),
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
}
# A run has retries of its own, so the client gives up soon.
_RETRY = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


class S3Links:
    """Links that the service itself checks."""

    def __init__(self, private: S3Store) -> None:
        self._private = private

    async def sign(self, key: ObjectKey, expires_in: timedelta) -> str:
        """A presigned GET of the private bucket."""
        return await obstore.sign_async(self._private, "GET", key.path, expires_in)

    def verify(self, bucket: str, path: str, expires: str, signature: str) -> ObjectKey:
        """Nothing: with S3 no link leads through our own API."""
        raise NotFound("this link is not valid, or no longer")


def s3_storage(settings: StorageSettings) -> Storage:
    """The two buckets that the settings name. Nothing is asked of the service yet: `check` does that."""
    _check(settings)
    private, public = (
        _bucket(settings, name) for name in (settings.storage_private_bucket, settings.storage_public_bucket)
    )
    buckets = {Bucket.PRIVATE: private, Bucket.PUBLIC: public}
    return Storage("s3", buckets, S3Links(private), settings.storage_public_url)


def _check(settings: StorageSettings) -> None:
    endpoint = settings.storage_endpoint
    if endpoint is None and settings.storage_region == "auto":
        raise Misconfigured("AWS needs the region of the buckets: set STORAGE_REGION", field="STORAGE_REGION")
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise Misconfigured(
            f"STORAGE_ENDPOINT must be an http or https URL, got {endpoint!r}", field="STORAGE_ENDPOINT"
        )
    if (settings.storage_access_key_id is None) is not (settings.storage_secret_access_key is None):
        raise Misconfigured(
            "set both STORAGE_ACCESS_KEY_ID and STORAGE_SECRET_ACCESS_KEY, or neither", field="STORAGE_ACCESS_KEY_ID"
        )
    if settings.storage_private_bucket == settings.storage_public_bucket:
        raise Misconfigured("the private and the public bucket must be two", field="STORAGE_PUBLIC_BUCKET")


def _bucket(settings: StorageSettings, name: str) -> S3Store:
    secret = settings.storage_secret_access_key
    # Without keys of ours the client looks where AWS's own tools look: environment, instance, web identity.
    keys = (
        {"access_key_id": settings.storage_access_key_id, "secret_access_key": secret.get_secret_value()}
        if secret
        else {}
    )
    place = {"endpoint": settings.storage_endpoint} if settings.storage_endpoint else {}
    plain = (settings.storage_endpoint or "").startswith("http://")
    return S3Store(
        name,
        region=settings.storage_region,
        virtual_hosted_style_request=False,
        client_options={**_CLIENT, "allow_http": plain},
        retry_config=_RETRY,
        **keys,
        **place,
    )
