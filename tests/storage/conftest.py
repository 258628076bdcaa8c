"""The three stores that must behave alike: a directory, a real S3 service, and memory."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backend.settings import Settings
from backend.storage import Storage, memory_storage, open_storage
from tests.storage.moto import MotoServer


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def s3_settings(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    name = secrets.token_hex(6)
    for bucket in ("private", "public"):
        moto.make_bucket(f"{name}-{bucket}")
        monkeypatch.setenv(f"STORAGE_{bucket.upper()}_BUCKET", f"{name}-{bucket}")
    monkeypatch.setenv("STORAGE_BACKEND", "s3")
    monkeypatch.setenv("STORAGE_ENDPOINT", moto.url)
    monkeypatch.setenv("STORAGE_REGION", "us-east-1")
    monkeypatch.setenv("STORAGE_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("STORAGE_SECRET_ACCESS_KEY", "tester-secret")
    return Settings()


@pytest.fixture
def local_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return Settings()


@pytest.fixture
async def s3(s3_settings: Settings) -> AsyncIterator[Storage]:
    async with open_storage(s3_settings) as store:
        yield store


@pytest.fixture
async def local(local_settings: Settings) -> AsyncIterator[Storage]:
    async with open_storage(local_settings) as store:
        yield store


@pytest.fixture(params=["local", "s3", "memory"])
def store(request: pytest.FixtureRequest) -> Storage:
    if request.param == "memory":
        return memory_storage()
    found: Storage = request.getfixturevalue(request.param)
    return found
