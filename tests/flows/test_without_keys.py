"""The whole crew runs without keys: `backline fakes` in one process, a live worker in another."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.adapters import replicate
from backend.adapters.doubles import audd_found
from backend.db.models.federation import PdsRecord
from backend.db.models.media import CopyrightScan, Genres
from backend.db.session import database, unit_of_work
from backend.domains.media.resolutions import VALUE, schedule_copyright_resolution_sync
from tests import audio
from tests.cli.test_server import start
from tests.conftest import set_environment
from tests.flows.stage import house, runs_until, upload
from tests.runtime.crew import ended

DID = "did:plc:artist"
LINES = 7


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings that `backline fakes` prints, in force."""
    process: subprocess.Popen[str] = start("fakes", "--port", "0")
    try:
        assert process.stdout
        pairs = [process.stdout.readline().rstrip().partition("=")[::2] for _ in range(LINES)]
        set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3", **dict(pairs))
        yield dict(pairs)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
async def test_a_track_is_scanned_classified_and_settled(
    engine_mode: str, sqlite_url: str, fakes: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicate, "POLL_S", 0.05)
    found = {"status": 200, "headers": {}, "body": audd_found(("Somebody Else", "Their Song"))}
    async with httpx.AsyncClient() as person, house():
        await person.post(f"{fakes['AUDD_URL']}_next", json=found)
        made = await upload(audio.tone(tmp_path / "a.wav", 0.5))
        await runs_until(
            dict.fromkeys(("scan_copyright", "classify_genres", "send_flag_notice", "send_notice"), "succeeded")
        )
        async with unit_of_work() as unit:
            place = {"did": DID, "collection": "fm.example.track", "rkey": "3aaaaaaaaaaaa"}
            unit.session.add(PdsRecord(kind="track", subject=made.track_id, wanted={}, **place))
        for neg in (False, True):
            said = {"uri": f"at://{DID}/fm.example.track/3aaaaaaaaaaaa", "val": VALUE, "neg": neg}
            await person.post(f"{fakes['LABELER_URL']}/labels", json=said)
        run = await ended((await schedule_copyright_resolution_sync()).id)
        async with database().reading() as session:
            scan = await session.get_one(CopyrightScan, made.version_id)
            genres = await session.get_one(Genres, made.version_id)
    assert run.result == {"asked": 1, "resolved": 1, "raised": 0}
    assert (scan.finding, scan.notified_at is not None, scan.resolved_at is not None) == ("flagged", True, True)
    assert genres.genres
    assert genres.genres[0] == {"name": "ambient", "confidence": 0.6123}
