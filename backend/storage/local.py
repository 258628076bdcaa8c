"""Objects in a local directory: the default, with nothing to install."""

from pathlib import Path

from obstore.store import LocalStore
from pydantic import SecretStr

from backend.errors import Misconfigured
from backend.storage.keys import Bucket
from backend.storage.objects import Storage
from backend.storage.signing import UrlSigner, url_secret


def local_storage(data_dir: Path, secret: SecretStr | None, public_url: str | None) -> Storage:
    """A directory per bucket under `data_dir/objects`. Raises Misconfigured when it cannot be written."""
    root = data_dir.absolute() / "objects"
    try:
        for bucket in Bucket:
            (root / bucket).mkdir(parents=True, exist_ok=True)
        links = UrlSigner(url_secret(secret, data_dir))
    except OSError as error:
        raise Misconfigured(f"cannot keep objects in {root}: {error.strerror}", field="DATA_DIR") from error
    buckets = {bucket: LocalStore(root / bucket, automatic_cleanup=True) for bucket in Bucket}
    return Storage("local", buckets, links, public_url)
