"""A signed path opens one object, for a while, and nothing else."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from backend.errors import Misconfigured, NotFound
from backend.storage import Bucket, ObjectKey
from backend.storage.signing import UrlSigner, url_secret

KEY = ObjectKey(Bucket.PRIVATE, "originals/v1.flac")
SIGNER = UrlSigner(b"a secret of some length")


async def signed(key: ObjectKey = KEY, expires_in: timedelta = timedelta(minutes=1)) -> dict[str, str]:
    url = urlsplit(await SIGNER.sign(key, expires_in))
    objects, bucket, path = url.path.removeprefix("/").split("/", 2)
    assert objects == "objects"
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    return {"bucket": bucket, "path": path, **query}


async def test_a_signed_path_opens_its_object() -> None:
    assert SIGNER.verify(**await signed()) == KEY


@pytest.mark.parametrize(
    "change",
    [
        {"bucket": "public"},
        {"bucket": "nobody"},
        {"path": "originals/v2.flac"},
        {"path": "originals/../originals/v1.flac"},
        {"path": ""},
        {"expires": "99999999999"},
        {"expires": "9" * 5000},
        {"expires": "-1"},
        {"expires": "1e9"},
        {"expires": "١٢٣"},
        {"expires": ""},
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "ü"},
        {"signature": "\ud800"},
    ],
)
async def test_an_altered_path_opens_nothing(change: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="not valid"):
        SIGNER.verify(**{**await signed(), **change})


async def test_an_expired_path_opens_nothing() -> None:
    with pytest.raises(NotFound):
        SIGNER.verify(**await signed(expires_in=timedelta(seconds=-1)))


async def test_another_secret_opens_nothing() -> None:
    with pytest.raises(NotFound):
        UrlSigner(b"another secret of some length").verify(**await signed())


def test_the_kept_secret_is_private_and_stays(tmp_path: Path) -> None:
    first = url_secret(None, tmp_path / "new")
    [file] = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert url_secret(SecretStr(""), tmp_path / "new") == first
    assert len(first) >= 32


def test_processes_that_start_together_keep_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(lambda _: url_secret(None, tmp_path), range(64)))
    assert len(secrets) == 1
    assert len(os.listdir(tmp_path)) == 1


def test_a_spoiled_kept_secret_is_named(tmp_path: Path) -> None:
    url_secret(None, tmp_path)
    (tmp_path / "storage-url-secret").write_text("")
    with pytest.raises(Misconfigured, match="delete it"):
        url_secret(None, tmp_path)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(Misconfigured) as refused:
        url_secret(SecretStr("short"), Path("/nowhere"))
    assert refused.value.field == "STORAGE_URL_SECRET"
