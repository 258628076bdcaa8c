"""What an owner changes about a track."""

from pathlib import Path

import pytest

from backend.db.models.media import Track
from backend.db.models.runs import Run
from backend.db.session import Database
from backend.domains.media.changes import change_track
from backend.errors import Forbidden, InvalidInput, NotFound
from backend.storage import Storage
from tests.domains.media.moving import ALICE, BOB, track


async def test_a_change_says_what_is_wrong_with_it(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await track(tmp_path)
    assert await change_track(made.track_id, ALICE, title="  New\x00 Name ") is None
    assert await change_track(made.track_id, ALICE, gated=False) is None
    run_id = await change_track(made.track_id, ALICE, gated=True)
    async with database.reading() as session:
        row, run = await session.get(Track, made.track_id), await session.get(Run, run_id)
    assert row
    assert run
    assert (row.title, row.gated) == ("New Name", True)
    assert (run.task, run.args) == ("move_audio", {"track_id": made.track_id})
    for call, error in (
        (change_track(made.track_id, ALICE, title=" \x00 "), InvalidInput),
        (change_track(made.track_id, BOB, gated=False), Forbidden),
        (change_track("nope", ALICE, gated=False), NotFound),
    ):
        with pytest.raises(error):
            await call
