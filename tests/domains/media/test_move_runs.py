"""Runs that move a track, among other runs: one after the other, and again when work may have missed the move."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from backend.db.base import now
from backend.db.models.runs import Run, State
from backend.db.session import Database, unit_of_work
from backend.domains.media.changes import change_track
from backend.domains.media.move import move_audio
from backend.errors import Snooze
from backend.storage import Storage
from tests.domains.media.conftest import as_attempt
from tests.domains.media.moving import ALICE, home_of, track


async def states(database: Database) -> list[str]:
    """Those of all runs that move a track."""
    async with database.reading() as session:
        return sorted(await session.scalars(select(Run.state).where(Run.task == "move_audio")))


async def test_a_second_run_waits_for_the_first(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await track(tmp_path)
    older = await change_track(made.track_id, ALICE, gated=True)
    async with unit_of_work() as unit:
        running = update(Run).where(Run.id == older).values(state=State.RUNNING, id="0000-older", updated_at=now())
        await unit.connection.execute(running)
    with pytest.raises(Snooze, match="moves this track"):
        await as_attempt(1, lambda: move_audio(made.track_id))
    assert await home_of(database, made) == "public"
    await change_track(made.track_id, ALICE, gated=False)
    assert await states(database) == ["running", "scheduled"]  # the second change is not lost in the first one's run


async def test_while_something_is_made_of_the_track_a_later_run_looks_again(
    database: Database, store: Storage, tmp_path: Path
) -> None:
    made = await track(tmp_path)
    await move_audio(made.track_id)
    assert await states(database) == []
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Run).where(Run.id == made.run_id).values(state=State.RUNNING))
    for _ in range(2):
        await move_audio(made.track_id)
        assert await states(database) == ["scheduled"]
