"""A gate that closes is followed by a move, and the move by what hangs on its end."""

from pathlib import Path

import pytest

from backend.domains.media.access import Person
from backend.domains.media.changes import change_track
from backend.domains.media.upload import store_upload
from backend.runtime.runs import get_run
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import sent
from tests.flows.test_track_uploaded import house, runs_until

ALICE = Person("did:plc:alice")


@pytest.mark.parametrize("engine_mode", ["inline", "memory"], indirect=True)
async def test_a_move_says_where_the_track_is(
    engine_mode: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.5", RUNNER_SHUTDOWN_GRACE_S="0.3")
    async with house():
        made = await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.3)), artist_did=ALICE.did)
        await runs_until({"transcode_version": "succeeded", "draw_waveform": "succeeded"})
        run_id = await change_track(made.track_id, ALICE, gated=True)
        assert run_id
        found = await runs_until({"move_audio": "succeeded"})
        assert found["move_audio"].result
        assert found["move_audio"].result["home"] == "private"
        said = [line["message"] for each in (await get_run(run_id)).attempts for line in each.logs or []]
    assert f"what was made of track {made.track_id} is private now" in said
