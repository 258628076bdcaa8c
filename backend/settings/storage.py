"""Where objects live: a local directory, or two buckets of an S3-compatible store."""

from typing import Literal

from pydantic import Field, SecretStr

from backend.settings.base import Section


class StorageSettings(Section):
    """Local by default. S3, R2 and MinIO by `STORAGE_BACKEND=s3`."""

    storage_backend: Literal["local", "s3"] = Field("local", description="`local` or `s3`.")
    storage_private_bucket: str = Field("backline-private", description="Bucket for originals and gated media.")
    storage_public_bucket: str = Field("backline-public", description="Bucket for what anyone may fetch.")
    storage_endpoint: str | None = Field(None, description="URL of the S3-compatible service. Unset: AWS.")
    storage_region: str = Field("auto", description="Region name the S3 service expects.")
    storage_access_key_id: str | None = Field(None, description="Access key id for S3.")
    storage_secret_access_key: SecretStr | None = Field(None, description="Secret access key for S3.")
    storage_url_secret: SecretStr | None = Field(
        None, description="Key that signs URLs of the local store. Unset: one is made and kept in the data directory."
    )
    storage_public_url: str | None = Field(
        None, description="Base URL under which the public bucket is served, for example a CDN."
    )
