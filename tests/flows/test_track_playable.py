"""A track that plays is looked at by the services that have a token, through a live worker; others are not asked."""

from pathlib import Path

import pytest

from backend.adapters.doubles import audd_found
from backend.db.models.media import CopyrightScan, Genres
from backend.db.session import database
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from tests import audio
from tests.conftest import set_environment
from tests.doubles import Services
from tests.doubles import services as services
from tests.flows.stage import CREW, house, runs_until, settled, upload

pytestmark = pytest.mark.parametrize("engine_mode", ["memory"], indirect=True)
ASKED = ("scan_copyright", "classify_genres")


@pytest.fixture(autouse=True)
def quick(engine_mode: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")


async def test_services_look_at_a_track_that_plays(engine_mode: str, services: Services, tmp_path: Path) -> None:
    services.audd.answer_next(200, audd_found(("Somebody Else", "Their Song")))
    async with house():
        made = await upload(audio.tone(tmp_path / "a.wav", 1.0))
        found = await runs_until(dict.fromkeys((*CREW, *ASKED, "send_flag_notice", "send_notice"), "succeeded"))
        async with database().reading() as session:
            scan, genres = [await session.get(each, made.version_id) for each in (CopyrightScan, Genres)]
    assert scan
    assert (scan.finding, scan.notified_at is not None) == ("flagged", True)
    assert genres
    assert genres.genres
    assert [notice["track_id"] for notice in services.notices] == [made.track_id]
    assert found["send_flag_notice"].cause == found["scan_copyright"].id
    told = str([(run.args, run.result, run.error, run.progress) for run in found.values()])
    assert "double" not in told  # the token


async def test_without_tokens_nobody_is_asked(
    engine_mode: str, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, AUDD_TOKEN=None, REPLICATE_TOKEN=None)
    async with house():
        made = await upload(audio.tone(tmp_path / "a.wav", 1.0))
        await runs_until(dict.fromkeys(CREW, "succeeded"))
        await settled(made, "ready")
        started = {run.task for run in await runs.list_runs(RunFilter(), limit=100)}
    assert not started & set(ASKED)
    assert not services.audd.asked
    assert not services.replicate.asked
