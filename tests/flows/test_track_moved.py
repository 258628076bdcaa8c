"""A gate that closes is followed by a move, and the move by what hangs on its end."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.db.models.federation import PdsRecord
from backend.db.session import database
from backend.domains.federation.publication import request_publication
from backend.domains.media.access import Person
from backend.domains.media.changes import change_track
from backend.domains.media.upload import store_upload
from backend.runtime.runs import RunFilter, get_run, list_runs
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import sent
from tests.flows.stage import house, runs_until, settled

ALICE = Person("did:plc:alice")


async def _published(track_id: str) -> dict[str, object] | None:
    """The record that should be on the artist's server."""
    async with database().reading() as session:
        return await session.scalar(select(PdsRecord.wanted).where(PdsRecord.subject == track_id))


@pytest.mark.parametrize("engine_mode", ["inline", "memory"], indirect=True)
async def test_a_move_says_where_the_track_is(
    engine_mode: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.5", RUNNER_SHUTDOWN_GRACE_S="0.3")
    async with house():
        made = await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.3)), artist_did=ALICE.did)
        other = await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.3)), artist_did=ALICE.did)
        await settled(made, "ready")
        await settled(other, "ready")
        run_id = await change_track(made.track_id, ALICE, gated=True)
        assert run_id
        found = await runs_until({"move_audio": "succeeded"})
        assert found["move_audio"].result
        assert found["move_audio"].result["home"] == "private"
        said = [line["message"] for each in (await get_run(run_id)).attempts for line in each.logs or []]
        assert await _published(made.track_id) is None
        await request_publication(other.track_id)
        await change_track(other.track_id, ALICE, gated=True)
        async with asyncio.timeout(40):
            while "supportGate" not in (await _published(other.track_id) or {}):  # noqa: ASYNC110  another run writes it
                await asyncio.sleep(0.05)
        revisions = [run.args["revision"] for run in await list_runs(RunFilter(task="publish_track"), limit=10)]
    assert sorted(revisions) == [1, 2]
    assert f"what was made of track {made.track_id} is private now" in said
