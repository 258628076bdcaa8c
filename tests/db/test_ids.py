"""Ids are UUIDs of version 7, and their order is the order of creation."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from backend.db.ids import new_id


def test_ids_ascend_and_never_repeat() -> None:
    ids = [new_id() for _ in range(50_000)]
    assert ids == sorted(set(ids))


def test_ids_of_several_threads_never_repeat() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [name for made in pool.map(lambda _: [new_id() for _ in range(2_000)], range(8)) for name in made]
    assert len(set(ids)) == 16_000


def test_an_id_is_a_uuid_of_version_7_that_knows_its_time() -> None:
    before = time.time_ns() // 1_000_000
    name = UUID(new_id())
    after = time.time_ns() // 1_000_000 + 1
    assert name.version == 7
    assert name.variant == RFC_4122
    assert before <= name.int >> 80 <= after
    assert len(str(name)) == 36
