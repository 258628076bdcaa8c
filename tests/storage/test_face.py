"""The face of the package: one storage per process, open while its block lasts."""

import pytest

import backend.storage
from backend.settings import Settings
from backend.storage import memory_storage, open_storage, storage, use_storage


async def test_storage_is_open_inside_the_block_only(local_settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="open_storage"):
        storage()
    async with open_storage(local_settings) as outer:
        assert storage() is outer
        async with use_storage(memory_storage()) as inner:
            assert storage() is inner
        assert storage() is outer
    with pytest.raises(RuntimeError):
        storage()


def test_every_exported_name_is_there() -> None:
    for name in backend.storage.__all__:
        assert hasattr(backend.storage, name)
