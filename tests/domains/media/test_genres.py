"""Genres are asked for once, also when the run is repeated, and written with what the model is sure of."""

from pathlib import Path

import pytest

from backend.adapters import replicate
from backend.db.models.media import Genres
from backend.db.session import Database
from backend.domains.media.genres import hear_genres, read_genres
from backend.errors import BadAnswer, Unavailable
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import upload
from tests.doubles import Services
from tests.doubles import services as services


def asked(services: Services, path: str) -> int:
    return sum(each["method"] == "POST" and each["path"] == path for each in services.replicate.asked)


async def row_of(database: Database, version_id: str) -> Genres:
    async with database.reading() as session:
        found = await session.get(Genres, version_id)
    assert found is not None
    return found


async def test_a_track_gets_its_genres(database: Database, store: Storage, services: Services, tmp_path: Path) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.2))
    found = await hear_genres(made.track_id)
    assert found == [
        {"name": "ambient", "confidence": 0.6123},
        {"name": "electronic", "confidence": 0.6123},
        {"name": "techno", "confidence": 0.2},
        {"name": "score", "confidence": 0.1},
        {"name": "stage & screen", "confidence": 0.1},
    ]
    row = await row_of(database, made.version_id)
    assert (row.genres, row.prediction_id) == (found, None)
    assert asked(services, "/v1/files") == 1


async def test_a_repeat_goes_on_with_the_question_that_was_put(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.2))
    services.replicate.answer_next(201, {"id": "prediction1", "status": "starting"})  # the file
    services.replicate.line.clear()
    real = replicate.answered

    async def dies(*_: object) -> None:
        raise ConnectionError("the process died here")

    monkeypatch.setattr(replicate, "answered", dies)
    with pytest.raises(ConnectionError):
        await hear_genres(made.track_id)
    assert (await row_of(sqlite_database, made.version_id)).prediction_id == "prediction1"
    monkeypatch.setattr(replicate, "answered", real)
    assert await hear_genres(made.track_id)
    assert asked(services, "/v1/predictions") == 1


async def test_a_failed_question_is_put_again_by_the_next_attempt(
    sqlite_database: Database, store: Storage, services: Services, tmp_path: Path
) -> None:
    made = await upload(audio.tone(tmp_path / "a.wav", 0.2))
    address = "https://cdn.example/a.wav"
    services.replicate.answer_next(201, {"id": "p", "status": "failed", "error": "CUDA"})
    with pytest.raises(Unavailable, match="ended as failed: CUDA"):
        await hear_genres(made.track_id, address)
    assert await hear_genres(made.track_id, address)
    assert asked(services, "/v1/predictions") == 2
    assert asked(services, "/v1/files") == 0


@pytest.mark.parametrize("output", [None, [], "text", {"Jazz": "much"}])
def test_what_is_no_list_of_genres_is_a_bad_answer(output: object) -> None:
    with pytest.raises(BadAnswer):
        read_genres(output)


def test_names_are_there_once_with_their_best() -> None:
    output = {"Rock---Punk": 0.1, "Rock---Surf": 0.123456, **{f"G{n}": n / 1000 for n in range(20)}}
    found = read_genres(output)
    assert found[0] == {"name": "rock", "confidence": 0.1235}
    assert len(found) == 10
